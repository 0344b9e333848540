"""The command line: a file a command, loaded when it is called."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from pipeline_gitops import __version__
from pipeline_gitops.cli.endings import Ending
from pipeline_gitops.errors import Fault, InterruptedFault, Verdict

# Short help stands here so that `--help` loads no command.
_COMMANDS = {
    "run": "What a CI step calls: reviews a merge request, deploys a push.",
    "validate": "Checks manifests against their schemas.",
    "render": "Prints what an environment renders.",
    "diff": "Shows what a deploy would change.",
    "deploy": "Makes the target hold what the environment renders.",
    "rollback": "Deploys an older commit, and holds the newer one.",
    "status": "Shows how what was deployed is doing now.",
    "watch": "Follows what was deployed to one environment.",
    "destroy": "Deletes all that an environment owns in its target.",
    "permissions": "Prints the Role that a command needs in a cluster.",
    "handover": "Gives an environment's inventory to kubectl, or takes it back.",
    "report": "Posts reports of earlier jobs to the merge request.",
    "init": "Writes a configuration from what it finds.",
    "environments": "Lists environments and by which rule they were found.",
    "config": "Shows the configuration and where each value comes from.",
}

_EPILOG = """\b
Exit codes:
  0 ok                      6 applied in part
  1 internal error          7 applied, rollout failed or timed out
  2 usage or configuration  8 superseded by a newer deploy
  3 manifests rejected      9 report required but not delivered
  4 refused before a write  10 differences found (with --exit-code)
  5 target unreachable      130, 143 interrupted
"""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"pipeline_gitops.cli.commands.{name}")
        command: click.Command = module.command
        nested = command.commands.values() if isinstance(command, click.Group) else ()
        for one in (command, *nested):
            one.epilog = _EPILOG
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Lazy,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="pipeline-gitops", message="%(prog)s %(version)s")
def main() -> None:
    """GitOps from the pipeline: validate, render, plan, deploy, and answer in the merge request."""


def run(argv: Sequence[str]) -> int:
    """Runs one command and gives its exit code. Only our own bugs end in a traceback."""
    _safe_streams()
    ending = Ending(os.environ)
    try:
        code: Any = main(list(argv), prog_name="pipeline-gitops", standalone_mode=False, obj=ending)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return Verdict.USAGE.exit_code
    except click.UsageError as error:
        return ending.fault(UsageText(error))
    except Fault as fault:
        return ending.fault(fault)
    except (click.Abort, KeyboardInterrupt):
        return ending.fault(InterruptedFault("interrupted"))
    except Exception as error:
        return ending.bug(error)
    return code if isinstance(code, int) else 0


class UsageText(Fault):
    """A mistake in the call, found by the command-line parser."""

    verdict = Verdict.USAGE

    def __init__(self, error: click.UsageError) -> None:
        where = error.ctx.command_path if error.ctx else "pipeline-gitops"
        super().__init__(error.format_message(), f"see `{where} --help`")


def _safe_streams() -> None:
    # A lone surrogate in a name, or a locale without UTF-8, must not end a deploy in a traceback.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
