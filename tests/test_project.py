"""What holds for the project as a whole: layout, locks, wheel, sizes, templates."""

import ast
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline_gitops import __version__

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MODULES = sorted(
    path
    for folder in ("pipeline_gitops", "tests", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if path.stat().st_size
)

TOP_LEVEL = (
    "pyproject.toml",
    "pipeline_gitops",
    "ci-templates",
    "schemas",
    "tests",
    "action.yml",
    ".gitlab-ci.example.yml",
)


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_the_fixed_names_are_there(name: str) -> None:
    """They are promised."""
    assert (ROOT / name).exists()


def test_the_lock_fits_the_project() -> None:
    """A dependency changed in pyproject.toml is locked in the same change (make lock)."""
    done = run(str(BIN / "uv"), "lock", "--check", "--offline", "--quiet")

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("requirements.lock", ("--no-dev",)),
        ("requirements-bootstrap.lock", ("--only-group", "bootstrap")),
    ],
)
def test_the_exported_lock_is_that_of_uv(name: str, arguments: tuple[str, ...]) -> None:
    """What the action installs is what was locked, each with its hashes."""
    flags = ("--quiet", "--frozen", "--no-emit-project", "--no-header", "--no-annotate")

    done = run(str(BIN / "uv"), "export", *flags, *arguments)

    assert done.stdout == (ROOT / name).read_text()
    assert re.search(r"--hash=sha256:[0-9a-f]{64}", done.stdout)


def test_the_wheel_holds_schemas_and_templates(tmp_path: Path) -> None:
    """And nothing of the tests."""
    built = run(str(BIN / "hatchling"), "build", "-t", "wheel", "-d", str(tmp_path))
    assert built.returncode == 0, built.stderr

    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    assert f"pipeline_gitops-{__version__}-py3-none-any.whl" == wheel.name
    assert {
        "pipeline_gitops/_schemas/config.schema.json",
        "pipeline_gitops/_schemas/report.schema.json",
        "pipeline_gitops/reports/page/page.css",
        "pipeline_gitops/reports/page/page.js",
        "pipeline_gitops/_schemas/kubernetes/kinds.json",
        "pipeline_gitops/_ci_templates/gitlab/pipeline.yml",
        "pipeline_gitops/health/rules/cert-manager.io.yaml",
        "pipeline_gitops/py.typed",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "examples/"))]


def test_one_version() -> None:
    """pyproject.toml, the package and the templates name the same."""
    stated = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert stated
    assert __version__ == stated[1]

    for name in (
        "ci-templates/gitlab/pipeline.yml",
        "ci-templates/jenkins/Jenkinsfile",
        ".gitlab-ci.example.yml",
    ):
        text = (ROOT / name).read_text()
        assert f"pipeline-gitops=={__version__}" in text or f"v{__version__}" in text, name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_one_piece_of_knowledge(path: Path) -> None:
    """It says which in its docstring, in at most 500 lines, with functions of at most 50."""
    text = path.read_text()
    tree = ast.parse(text)

    long = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 50
    ]

    assert ast.get_docstring(tree)
    assert len(text.splitlines()) <= 500
    assert long == []


@pytest.mark.parametrize("name", ["config", "report"])
def test_a_contract_is_a_valid_schema(name: str) -> None:
    """Draft 2020-12, as editors and other tools read it."""
    schema = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text())

    jsonschema.Draft202012Validator.check_schema(schema)

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def imports_of(*arguments: str) -> set[str]:
    """Top-level modules that a command imports, by -X importtime."""
    done = run(sys.executable, "-P", "-X", "importtime", "-m", "pipeline_gitops", *arguments)
    names = (line.rpartition("|")[2].strip() for line in done.stderr.splitlines())
    return {name.partition(".")[0] for name in names}


HEAVY = {"kubernetes", "github", "gitlab", "requests", "jsonschema", "urllib3", "rich"}


def test_version_imports_nothing_heavy() -> None:
    """Installation checks call it; not even click is needed."""
    assert set() == imports_of("--version") & (HEAVY | {"click", "yaml", "jsonschema_rs"})


def test_validate_imports_no_client(tmp_path: Path) -> None:
    """A check of one file does not pay for clusters and forges."""
    manifest = tmp_path / "a.yaml"
    manifest.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")

    assert set() == imports_of("validate", str(manifest)) & HEAVY


PLACEHOLDER = "REPLACE-WITH-COMMIT-OF-RELEASE"
WORKFLOWS = sorted((ROOT / "ci-templates/github").glob("*.yml"))

# -- the three ways in ---------------------------------------------------------------------------


def documents_of(name: str) -> list[Any]:
    return list(yaml.safe_load_all((ROOT / name).read_text()))


def test_every_input_of_the_action_reaches_the_program() -> None:
    """A composite action gets no INPUT_* variables: each input must be mapped by hand."""
    (action,) = documents_of("action.yml")

    mapped = {
        found
        for step in action["runs"]["steps"]
        for value in (*step.get("env", {}).values(), step.get("working-directory", ""))
        for found in re.findall(r"inputs\.([\w-]+)", value)
    }

    assert set(action["inputs"]) == mapped


def test_no_input_is_text_in_a_script() -> None:
    """An expression inside `run:` would be executed."""
    (action,) = documents_of("action.yml")

    assert not [step["run"] for step in action["runs"]["steps"] if "${{" in step["run"]]


def test_every_variable_of_the_action_is_a_flag() -> None:
    """A misspelt variable would silently do nothing."""
    (action,) = documents_of("action.yml")
    options = (ROOT / "pipeline_gitops" / "cli" / "options.py").read_text()
    run_command = (ROOT / "pipeline_gitops" / "cli" / "commands" / "run.py").read_text()
    known = set(re.findall(r'"--([a-z-]+)"', options + run_command)) | {"token"}

    set_ = {
        name.removeprefix("PIPELINE_GITOPS_").lower().replace("_", "-")
        for step in action["runs"]["steps"]
        for name in step.get("env", {})
        if name.startswith("PIPELINE_GITOPS_")
    }

    assert set_ <= known


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ("vendor.github-actions", "action.yml"),
        ("vendor.github-workflows", "ci-templates/github/pipeline.yml"),
        ("vendor.github-workflows", "ci-templates/github/fork-report.yml"),
        ("vendor.gitlab-ci", ".gitlab-ci.example.yml"),
    ],
)
def test_a_way_in_follows_its_official_schema(schema: str, name: str) -> None:
    """Checked against the vendor's own schema."""
    transform = ("--data-transform", "gitlab-ci") if "gitlab" in schema else ()

    done = run(
        str(BIN / "check-jsonschema"), "--builtin-schema", schema, *transform, "--force-filetype",
        "yaml", name,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout


def test_both_halves_of_the_gitlab_template_follow_the_schema(tmp_path: Path) -> None:
    """The header with its inputs, and the jobs, are two documents of one file."""
    text = (ROOT / "ci-templates/gitlab/pipeline.yml").read_text()
    halves = re.split(r"^---$", text, flags=re.MULTILINE)

    for number, half in enumerate(halves):
        path = tmp_path / f"{number}.yml"
        # Inputs are put in before GitLab checks the jobs.
        path.write_text(half.replace("$[[ inputs.tags ]]", "[]"))
        done = run(
            str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.gitlab-ci",
            "--data-transform", "gitlab-ci", str(path),
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
    assert len(halves) == 2


def test_the_auditor_of_workflows_finds_nothing(tmp_path: Path) -> None:
    """zizmor, offline: no injection, no unpinned action, no excessive permission.

    As users have them, with a commit where the templates ask for one.
    """
    copies = []
    for template in WORKFLOWS:
        copies.append(tmp_path / template.name)
        copies[-1].write_text(template.read_text().replace(PLACEHOLDER, "1" * 40))

    done = run(str(BIN / "zizmor"), "--offline", "--no-progress", "action.yml", *map(str, copies))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("template", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_names_no_commit_that_there_is_not(template: Path) -> None:
    """The placeholder is a sentence in the runner's error, and a page has the command."""
    text = template.read_text()
    pins = re.findall(r"uses: \S+@(\S+)", text)

    assert PLACEHOLDER in pins
    assert [
        pin for pin in pins if not re.fullmatch(rf"{PLACEHOLDER}|(?!0+$)[0-9a-f]{{40}}", pin)
    ] == []
    assert PLACEHOLDER in (ROOT / "docs/ci.md").read_text()


@pytest.mark.parametrize(
    ("requirements", "wanted"),
    [
        ("", ["pipeline-gitops==0.1.0"]),
        ("deploy/a b.lock", ["--no-deps", "--require-hashes", "-r", "deploy/a b.lock"]),
    ],
)
def test_gitlab_installs_by_hash_where_there_is_a_file(
    requirements: str, wanted: list[str], tmp_path: Path
) -> None:
    """The template's own lines, with a stand-in for Python that writes down what pip is given."""
    _, jobs = documents_of("ci-templates/gitlab/pipeline.yml")
    inputs = {"requirements": requirements, "package": "pipeline-gitops==0.1.0"}
    script = "\n".join(jobs[".pipeline-gitops"]["before_script"])
    for name, value in inputs.items():
        script = script.replace(f"$[[ inputs.{name} ]]", value)
    python = tmp_path / ".pipeline-gitops-venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\" >given\n")
    python.chmod(0o755)
    (tmp_path / "python3").symlink_to("/bin/true")

    subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        check=True,
    )

    given = (tmp_path / "given").read_text().splitlines()
    assert given[given.index(":all:") + 1 :] == wanted


def test_no_secret_is_interpolated_in_the_jenkinsfile() -> None:
    """A double-quoted sh step would put a credential on the command line."""
    text = (ROOT / "ci-templates/jenkins/Jenkinsfile").read_text()

    assert not re.search(r'\bsh\s*(\(\s*)?"', text)


LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")


def anchors(page: Path) -> set[str]:
    """What forges call the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "path",
    sorted(
        [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    ),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_link_of_the_documentation_leads_somewhere(path: Path) -> None:
    """Relative links, from where the page lies; also to headings."""
    broken = []
    for link, anchor in LINK.findall(path.read_text()):
        target = path.parent / link if link else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{link}#{anchor}")

    assert broken == []


_RULE = re.compile(r"^\| .+ \| `(?P<file>tests/\S+\.py)::(?P<test>test_\w+)` \|$")


def test_every_safety_rule_names_its_test() -> None:
    """docs/safety.md is a promise to reviewers: what it names has to be there."""
    lines = (ROOT / "docs/safety.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ") and line != "| rule | test |"]
    named = [_RULE.match(row) for row in rows]

    unknown = [
        row
        for row, found in zip(rows, named, strict=True)
        if not found or f"def {found['test']}(" not in (ROOT / found["file"]).read_text()
    ]

    assert unknown == []
