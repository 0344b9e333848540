"""What the types promise."""

import re
from pathlib import Path

from mypy import api

MISUSES = Path(__file__).with_name("misuses.py")


def test_every_misuse_is_rejected() -> None:
    """Each line marked `# rejected: CODE` is an error of that code, and no other line is one."""
    source = MISUSES.read_text().splitlines()
    marked = (
        (number, re.search(r"# rejected: ([\w-]+)", line)) for number, line in enumerate(source, 1)
    )
    expected = {(number, found[1]) for number, found in marked if found}

    out, _, _ = api.run(["--strict", "--no-incremental", "--no-pretty", str(MISUSES)])

    pattern = re.compile(rf"{re.escape(MISUSES.name)}:(\d+): error: .*\[([\w-]+)\]")
    assert expected == {(int(line), code) for line, code in pattern.findall(out)}
