"""Rewrites what the golden cases expect; the change is judged in `git diff`.

python tests/golden/update.py
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # started as a program, only this folder is there
    sys.path.insert(0, str(ROOT))

from pipeline_gitops import masks, reports  # noqa: E402
from pipeline_gitops.masks import Sealed  # noqa: E402
from pipeline_gitops.reports import notes  # noqa: E402
from pipeline_gitops.reports.notes import Stamp  # noqa: E402

CASES = Path(__file__).parent / "reports"
NOTES = Path(__file__).parent / "notes"
LIMIT = 65_536


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
        **({"note.md": note(report)} if report.results else {}),
        "summary.md": reports.summary(report),
        "terminal.txt": reports.terminal(report, colour=False),
    }


def note(report: Sealed) -> str:
    """The note of a merge request on which one job has reported."""
    sections = notes.sections_of(report, Stamp(run=17, attempt=1), limit=LIMIT)
    return notes.compose({one.key: one for one in sections}, limit=LIMIT)


def shared_cases() -> list[Path]:
    """Every folder that holds the jobs of one merge request."""
    return sorted(path.parent for path in NOTES.glob("*/jobs.yaml"))


def shared_note(case: Path) -> str:
    """The note after the last of several jobs, each of which reported one environment."""
    body = ""
    for job in yaml.safe_load((case / "jobs.yaml").read_text(encoding="utf-8")):
        report = sealed(CASES / job["report"])
        (result,) = (one for one in report.results if one.environment == job["environment"])
        result = replace(result, environment=job.get("as", job["environment"]))
        revision = job.get("revision", report.revision)
        alone = Sealed(replace(report, results=(result,), revision=revision))
        stamp = Stamp(phase=job.get("phase", 0), run=job["run"], attempt=1)
        mine = notes.sections_of(alone, stamp, limit=LIMIT, environments=2)
        held = notes.union((*mine, *notes.sections(body)))
        body = notes.compose(held, limit=LIMIT, keep=[one.key for one in mine])
    return body


def main() -> None:
    for case in cases():
        for name, text in texts(case).items():
            (case / name).write_text(text, encoding="utf-8")
    for case in shared_cases():
        (case / "note.md").write_text(shared_note(case), encoding="utf-8")


if __name__ == "__main__":
    main()
