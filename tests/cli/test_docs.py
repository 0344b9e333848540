"""The documentation's commands are run, on the example that they speak of."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Repository, Said

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "examples/shop/README.md", *(ROOT / "docs").glob("*.md")]
)
COMMAND = re.compile(r"^(?:    |\$ )(pipeline-gitops [^#\n]*)", re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Commands of a page that need no cluster of the reader's."""
    found = (command.strip() for command in COMMAND.findall(page.read_text()))
    return [command for command in found if "--context" not in command]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda p: p.name)
def test_the_commands_of_a_page_work(
    page: Path, repository: Repository, call: Callable[..., Said]
) -> None:
    """In the order in which they stand, each with exit code 0."""
    shutil.copytree(ROOT / "examples" / "shop", repository.root, dirs_exist_ok=True)
    if page == ROOT / "README.md":
        (repository.root / ".pipeline-gitops.yaml").rename(repository.root.parent / "later.yaml")
    repository.commit({".gitignore": "rendered/\n*.json\n*.md\n"})

    for command in commands(page):
        said = call(*shlex.split(command)[1:])
        if command == "pipeline-gitops init":
            shutil.copy(
                repository.root.parent / "later.yaml", repository.root / ".pipeline-gitops.yaml"
            )
            repository.commit({})

        assert said.code == 0, f"{command}\n{said.text}"


def test_the_help_of_every_command_has_examples_and_exit_codes(call: Callable[..., Said]) -> None:
    """Whoever asks for help gets something to copy."""
    from pipeline_gitops.cli import _COMMANDS

    for name in _COMMANDS:
        words = ["config", "show"] if name == "config" else [name]
        said = call(*words, "--help")

        assert said.code == 0
        assert "Examples:" in said.out, name
        assert "Exit codes:" in said.out, name
