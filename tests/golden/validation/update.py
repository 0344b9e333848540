"""Rewrites what the golden cases of the validation expect; the change is judged in `git diff`.

    python tests/golden/validation/update.py

A case is a folder: manifest.yaml, and findings.txt, in which each line "Kubernetes <version>" asks
for the manifest to be judged, and what follows it is the answer.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

CASES = Path(__file__).resolve().parent
ROOT = CASES.parents[2]
if str(ROOT) not in sys.path:  # started as a program, only this folder is there
    sys.path.insert(0, str(ROOT))

from pipeline_gitops import documents, kinds, manifests  # noqa: E402
from pipeline_gitops.validation import Catalog, validate  # noqa: E402
from pipeline_gitops.views import Finding  # noqa: E402

PACKED = ROOT / "schemas" / "kubernetes"
CATALOG = Catalog.parse((PACKED / "schemas.json.zlib").read_bytes())
KINDS = kinds.parse((PACKED / "kinds.json").read_bytes())
_QUESTION = "Kubernetes "


def cases() -> list[Path]:
    """Every folder that holds a manifest."""
    return sorted(path.parent for path in CASES.glob("*/manifest.yaml"))


def findings(text: bytes, version: str) -> tuple[Finding, ...]:
    """What is wrong with the manifests in *text*."""
    read, unreadable = documents.read(text, "manifest.yaml")
    set_, twice = manifests.resolve(read, KINDS, "")
    return (*unreadable, *twice, *validate(set_.manifests, CATALOG, version=version))


def told(case: Path) -> str:
    """What findings.txt should hold."""
    manifest = (case / "manifest.yaml").read_bytes()
    lines: list[str] = []
    for line in (case / "findings.txt").read_text("utf-8").splitlines():
        if line.startswith(_QUESTION):
            lines += [line, *_lines(findings(manifest, line.removeprefix(_QUESTION)))]
    return "\n".join([*lines, ""])


def _lines(found: tuple[Finding, ...]) -> Iterator[str]:
    for finding in found:
        where = " ".join(filter(None, (str(finding.place), finding.pointer)))
        yield f"  {finding.severity} {finding.rule} {where}".rstrip()
        about = f"{finding.id}: " if finding.id else ""
        yield f"    {about}{finding.message}"
        yield f"    -> {finding.cure}"
    if not found:
        yield "  nothing"


def main() -> None:
    for case in cases():
        (case / "findings.txt").write_text(told(case), "utf-8")


if __name__ == "__main__":
    main()
