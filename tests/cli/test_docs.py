"""The documentation's commands are run, on the example that they speak of."""

import ast
import configparser
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from pipeline_gitops import reports
from pipeline_gitops.errors import Verdict
from tests.cli.conftest import Repository, Said

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "examples/shop/README.md", *(ROOT / "docs").glob("*.md")]
)
CASES = ROOT / "tests/golden/reports"
LINK = re.compile(r"(\[[^]]*\])\([^)]*\)")


@dataclass
class Step:
    """A command of a page, the exit code that it says, and lines of what it shows."""

    command: str
    code: int = 0
    shown: list[str] = field(default_factory=list)


def steps(page: Path) -> list[Step]:
    """A command stands behind a prompt, with lines of its output below, or is indented.

    Those that need a cluster of the reader's are left out.
    """
    found: list[Step] = []
    is_console = False
    for line in page.read_text().splitlines():
        is_console = line == "```console" or (is_console and line != "```")
        if line.startswith(("$ ", "    pipeline-gitops ")):
            command, _, remark = line.removeprefix("$ ").strip().partition(" #")
            _, _, code = remark.partition("exit code ")
            found.append(Step(command.strip(), int(code or 0)))
        elif is_console and line and found and line != "```console":
            found[-1].shown.append(line)
    return [step for step in found if "--context" not in step.command]


@pytest.mark.parametrize("page", [page for page in PAGES if steps(page)], ids=lambda p: p.name)
def test_the_commands_of_a_page_work(
    page: Path,
    repository: Repository,
    call: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the order in which they stand, with the exit codes and the output that the page shows."""
    monkeypatch.chdir(repository.root)
    shutil.copytree(ROOT / "examples" / "shop", repository.root, dirs_exist_ok=True)
    if page == ROOT / "README.md":
        (repository.root / ".pipeline-gitops.yaml").rename(repository.root.parent / "later.yaml")
    repository.commit({".gitignore": "rendered/\n*.json\n*.md\n"})

    for step in steps(page):
        program, *words = shlex.split(step.command)
        if program != "pipeline-gitops":
            subprocess.run([program, *words], check=True)
            continue
        said = call(*words)
        if step.command == "pipeline-gitops init":
            shutil.copy(
                repository.root.parent / "later.yaml", repository.root / ".pipeline-gitops.yaml"
            )
            repository.commit({})

        assert said.code == step.code, f"{step.command}\n{said.text}"
        assert not [line for line in step.shown if line not in said.text], said.text


@pytest.mark.parametrize(
    ("page", "case"),
    [
        ("README.md", "rollout-failed/note.md"),
        ("docs/getting-started.md", "rollout-failed/terminal.txt"),
    ],
)
def test_what_a_page_shows_is_what_a_case_holds(page: str, case: str) -> None:
    """Line by line, in this order, links without their addresses."""
    _, _, rest = (ROOT / page).read_text().partition("```text\n")
    shown = [line for line in rest.partition("\n```")[0].splitlines() if line]
    there = iter([LINK.sub(r"\1", line) for line in (CASES / case).read_text().splitlines()])

    assert shown
    assert [line for line in shown if line not in there] == []


def test_every_document_is_linked_from_the_readme() -> None:
    """What nobody finds need not be written."""
    readme = (ROOT / "README.md").read_text()

    assert not [page for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in readme]


def test_the_example_of_the_configuration_shows_every_key() -> None:
    """And is valid. The keys of health rules have a page of their own."""
    page = (ROOT / "docs/configuration.md").read_text()
    example = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    schema = json.loads((ROOT / "schemas/config.schema.json").read_text())

    jsonschema_rs.validator_for(schema).validate(example)

    del schema["properties"]["health"]
    rules = {"texts", "sign", "signs"}
    schema["$defs"] = {name: one for name, one in schema["$defs"].items() if name not in rules}
    assert set(allowed(schema)) <= {*written(example), "health"}


def allowed(schema: Any) -> Iterator[str]:
    """The keys that a schema names."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for one in schema.values():
            yield from allowed(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from allowed(one)


def written(value: Any) -> Iterator[str]:
    """The keys that a document has."""
    if isinstance(value, dict):
        yield from value
        for one in value.values():
            yield from written(one)
    elif isinstance(value, list):
        for one in value:
            yield from written(one)


def test_the_help_of_every_command_has_examples_and_exit_codes(call: Callable[..., Said]) -> None:
    """Whoever asks for help gets something to copy."""
    from pipeline_gitops.cli import _COMMANDS

    for name in _COMMANDS:
        words = ["config", "show"] if name == "config" else [name]
        said = call(*words, "--help")

        assert said.code == 0
        assert "Examples:" in said.out, name
        assert "Exit codes:" in said.out, name


@pytest.mark.parametrize("command", ["status", "watch"])
def test_a_command_has_no_option_that_does_nothing(command: str, call: Callable[..., Said]) -> None:
    """What renders nothing has no version to validate against, and takes nothing over."""
    said = call(command, "--help").out

    assert [one for one in ("--kubernetes", "--adopt-from", "--thorough") if one in said] == []


def refusals() -> set[str]:
    """The names of all refusals that the program may say."""
    return {
        keyword.value.value
        for path in (ROOT / "pipeline_gitops").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Refusal"
        for keyword in call.keywords
        if keyword.arg == "rule" and isinstance(keyword.value, ast.Constant)
    }


def test_every_refusal_and_exit_code_is_explained() -> None:
    """Whoever looks a name up that he met in a log finds it, and no name that he cannot meet."""
    page = (ROOT / "docs/troubleshooting.md").read_text()
    by_code, _, rest = page.partition("## By the name of a refusal")
    names = {
        name
        for line in rest.partition("\n## ")[0].splitlines()
        for name in re.findall(r"`([a-z-]+)`", line.split(" | ")[0])
    }
    codes = {
        int(code)
        for line in re.findall(r"^\| ([0-9, ]+) \|", by_code, re.M)
        for code in line.split(",")
    }

    assert names == refusals()
    assert codes == {verdict.exit_code for verdict in Verdict} - {0}


def test_every_message_that_is_explained_is_one_of_ours() -> None:
    """Words in a log are looked up by search: they have to be the very words."""
    page = (ROOT / "docs/troubleshooting.md").read_text()
    code = " ".join(path.read_text() for path in (ROOT / "pipeline_gitops").rglob("*.py"))
    quoted = re.findall(r"^\| \*([^*…]+?) ?…?\*", page, re.MULTILINE)

    assert len(quoted) >= 6
    assert [words for words in quoted if words.removesuffix(" note") not in code] == []


def test_the_picture_of_the_layers_is_that_of_the_linter() -> None:
    """Top to bottom, none left out."""
    page = (ROOT / "docs/architecture.md").read_text().partition("## Who may use whom?")[2]
    drawn = re.findall(r"^ {0,2}([a-z]+) ", page.split("```")[1], re.MULTILINE)
    contract = configparser.ConfigParser()
    contract.read(ROOT / ".importlinter")

    assert drawn == re.findall(r"[a-z]+", contract["importlinter:contract:layers"]["layers"])


def test_every_kind_of_report_is_explained(call: Callable[..., Said]) -> None:
    """In the help, and in the page about reports."""
    page = (ROOT / "docs/report.md").read_text()
    help_ = call("run", "--help").out

    assert [kind for kind in reports.KINDS if f"`{kind}`" not in page or kind not in help_] == []
