"""Rewrites what the golden cases expect; the change is judged in `git diff`.

python tests/golden/update.py
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # started as a program, only this folder is there
    sys.path.insert(0, str(ROOT))

from pipeline_gitops import masks, reports  # noqa: E402
from pipeline_gitops.masks import Sealed  # noqa: E402

CASES = Path(__file__).parent / "reports"


def cases() -> list[Path]:
    """Every folder that holds a report."""
    return sorted(path.parent for path in CASES.glob("*/report.json"))


def sealed(case: Path) -> Sealed:
    """A case's report, as the job of its merge request would show it."""
    report = reports.from_json((case / "report.json").read_text(encoding="utf-8"))
    project = f"https://forge.example/{report.repository}"
    job, files = f"{project}/actions/runs/17", f"{project}/blob/{report.revision}"
    return masks.seal(replace(report, run_url=job, files_url=files), ())


def texts(case: Path) -> Mapping[str, str]:
    """What a case's report looks like, by file name."""
    report = sealed(case)
    return {
        "note.md": reports.markdown(report, limit=59_000),
        "summary.md": reports.summary(report),
        "terminal.txt": reports.terminal(report, colour=False),
    }


def main() -> None:
    for case in cases():
        for name, text in texts(case).items():
            (case / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
