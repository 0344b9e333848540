"""What the tests' Gitea is built from: its own Go module, with the replacements of its go.mod."""

from __future__ import annotations

from pathlib import Path

from tests.parts.builds import GoProgram

VERSION = "1.26.0"
_TAGS = "sqlite,sqlite_unlock_notify"
_MODULE = "code.gitea.io/gitea"
PROGRAM = GoProgram(
    title="test Gitea",
    module=Path(__file__).resolve().parent / "server",
    packages=(_MODULE,),
    flags=(
        "-trimpath",
        "-buildvcs=false",
        f"-tags={_TAGS}",
        f"-ldflags=-s -w -X main.Version={VERSION} -X main.Tags={_TAGS}",
    ),
    assets=((_MODULE, ("options", "public", "templates")),),
    holds_c=True,  # SQLite
    duration="some six minutes on two cores",
)
