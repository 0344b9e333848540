"""What a finished report turns into: text on stdout, files, the job summary, step outputs."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from datetime import timedelta

from pipeline_gitops import __version__, ci, masks, reports
from pipeline_gitops.cli.session import Session
from pipeline_gitops.errors import Fault, UsageFault, Verdict
from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import Shown
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import FaultView, Report, Result


@dataclass(frozen=True, slots=True)
class Wanted:
    """One --report KIND=PATH."""

    kind: str
    path: str


def wanted(written: Sequence[str]) -> tuple[Wanted, ...]:
    """The reports that were asked for. Raises UsageFault before any work is done."""
    return tuple(_wanted(entry) for text in written for entry in text.split() if entry)


def _wanted(entry: str) -> Wanted:
    kind, _, path = entry.partition("=")
    if kind not in reports.KINDS or not path:
        known = ", ".join(sorted(reports.KINDS))
        raise UsageFault(f"--report {entry}: not a report", f"write KIND=PATH with KIND of {known}")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK) or os.path.isdir(path):
        raise UsageFault(
            f"--report {entry}: cannot be written", "name a file in a folder that exists"
        )
    return Wanted(kind, path)


def report(
    session: Session,
    command: str,
    *,
    results: Iterable[Result] = (),
    revision: str = "",
    repository: str = "",
    merge_request: int = 0,
    fault: Fault | None = None,
    notices: tuple[str, ...] = (),
) -> Report:
    """The report of a command that ends now."""
    seconds = session.clock.elapsed() - session.started
    started = session.clock.now() - timedelta(seconds=seconds)
    said = None
    if fault is not None:
        said = FaultView(message=fault.what, cure=fault.cure, verdict=fault.verdict)
    return Report(
        command=command,
        revision=revision,
        started_at=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=round(seconds, 2),
        version=__version__,
        repository=repository or session.context.project,
        merge_request=merge_request or session.context.merge_request,
        run_url=session.context.run_url,
        files_url=session.context.files_url(revision),
        results=tuple(results),
        notices=notices,
        fault=said,
    )


def seal(session: Session, made: Report) -> Sealed:
    """The report with every secret masked that the session came across."""
    return masks.seal(made, session.console.secrets())


def publish(
    session: Session,
    sealed: Sealed,
    files: Sequence[Wanted],
    *,
    quiet: bool = False,
    annotate: bool = True,
) -> int:
    """Shows the report, writes its files, and gives the exit code.

    *annotate*: findings go beside their lines by the log; whoever posts the report decides later.

    A file that cannot be written after all is said and changes the code only of a run that went
    well.
    """
    if not quiet:
        shown = reports.terminal(sealed, width=_width(), colour=_colour(session))
        session.console.show(shown)
    verdict = sealed.verdict
    for entry in files:
        try:
            _write(entry.path, reports.KINDS[entry.kind](sealed))
        except OSError as error:
            session.console.say(f"{entry.path}: {error.strerror}; the report is not written")
            verdict = Verdict.UNREPORTED if verdict is Verdict.OK else verdict
    if annotate:
        session.console.command(ci.annotations(sealed, session.context.vendor))
    _to_the_job(session, sealed)
    return verdict.exit_code


def _write(path: str, text: Shown) -> None:
    """Whole or not at all: a report that another step reads must not be half of one."""
    folder = os.path.dirname(os.path.abspath(path))
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def _to_the_job(session: Session, sealed: Sealed) -> None:
    context = session.context
    for path, text in (
        (context.summary_file, reports.summary(sealed)),
        (context.output_file, ci.output_text(sealed)),
    ):
        if not path:
            continue
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            session.console.say(f"{path}: {error.strerror}; left out")


def _width() -> int:
    """Columns of the terminal; of a log or a file, which has none, what reads well."""
    return os.get_terminal_size(1).columns if os.isatty(1) else reports.WIDTH


def _colour(session: Session) -> bool:
    """Asked for, or a terminal outside CI (some runners fake a terminal) and no NO_COLOR."""
    if session.flags.color is not None:
        return session.flags.color
    environ = session.environ
    return (
        session.context.vendor is ci.Vendor.NONE
        and not environ.get("NO_COLOR")
        and environ.get("TERM", "dumb") != "dumb"
        and os.isatty(1)
    )
