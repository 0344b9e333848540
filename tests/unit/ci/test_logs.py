"""What a log obeys comes from us alone; everything else is only text.

The recognisers here are written from the runners' own rules, not from `ci`.
"""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline_gitops import ci, masks
from pipeline_gitops.ci import Vendor
from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.masks import Sealed
from pipeline_gitops.views import Action, ChangeView, Finding, PlanView, Report, Result, Severity

API = ObjectId("apps", "Deployment", "shop", "api")

# char.IsWhiteSpace of .NET, and two that only some of its versions trim.
DOTNET_BLANK = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"
)
FRAGMENTS = (
    "::",
    ":",
    "##[",
    "##",
    "[",
    "::error::x",
    "::add-mask::a",
    "::stop-commands::t",
    "##[error]y",
    "section_start:1700000000:a\r\x1b[0Kx",
    "section_end:1700000000:a\r\x1b[0K",
    "\x1b[31m",
    "\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;x\x1b\\",
    "\x9b",
    "\r",
    "\n",
    "\r\n",
    "\x00",
    "\x08",
    "a",
    ",",
    "%0A",
    *DOTNET_BLANK,
)
hostile = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join), st.text(max_size=20)
)


def live_commands(log: str) -> list[str]:
    """Lines that the runner of GitHub would obey (ActionCommand.TryParseV2, then TryParse)."""
    lines = re.split(r"\r\n|\n|\r", log)
    bare = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    return [
        line
        for line in (*lines, *bare)
        if line.strip(DOTNET_BLANK).startswith("::") or "##[" in line
    ]


@given(hostile)
@example("\r::add-mask::a")
@example("x ##[error]y")
@example("\xa0::error::x")
@example(":::error::x")
@example("\x1b[31m::error::x")
@example("###[[error]")
@example(":\x1b[31m::error::x")
@example("#\x1b[31m#\x1b[0m[error]")
def test_no_text_commands_githubs_runner(text: str) -> None:
    """Neither `::` at a line's start nor `##[` anywhere survives."""
    assert live_commands(ci.neutral(text, Vendor.GITHUB)) == []


@given(hostile, st.sampled_from(Vendor))
def test_no_text_opens_a_section_of_gitlab(text: str, vendor: Vendor) -> None:
    """A section marker needs a carriage return and an erase; only colours survive of escapes."""
    shown = ci.neutral(text, vendor)

    left = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert [char for char in left if char < " " and char not in "\n\t"] == []
    assert not {"\x7f", "\x9b", "\u2028", "\u202e"} & set(left)


def test_ordinary_text_is_not_touched() -> None:
    """Colours, tabs, and colons inside a line stay."""
    text = "\x1b[31m✗\x1b[0m a::b\n\timage: shop/api:1.9\n"

    assert ci.neutral(text, Vendor.GITHUB) == text


def test_a_terminal_shows_colons_as_they_are() -> None:
    """What no runner reads needs no change."""
    assert ci.neutral("::error::x", Vendor.NONE) == "::error::x"


def sealed(*results: Result) -> Sealed:
    return masks.seal(Report(command="run", results=results), ())


def found(*findings: Finding) -> Sealed:
    return sealed(Result(environment="prod", findings=findings))


def test_a_finding_stands_beside_its_line() -> None:
    """File, line and column make the forge show it in the diff."""
    finding = Finding(
        rule="schema",
        message="expected integer",
        cure="write 3",
        pointer="/spec/replicas",
        place=Place("base/api.yaml", 14, 3),
        id=API,
    )

    assert ci.annotations(found(finding), Vendor.GITHUB) == (
        "::error file=base/api.yaml,line=14,col=3,title=schema::"
        "Deployment.apps shop/api: /spec/replicas: expected integer%0Awrite 3",
    )


def test_a_finding_of_two_environments_is_one_annotation() -> None:
    """A base file is rendered by many."""
    finding = Finding(rule="schema", message="x", place=Place("base/api.yaml", 1))
    results = [Result(environment=name, findings=(finding,)) for name in ("staging", "prod")]

    assert len(ci.annotations(sealed(*results), Vendor.GITHUB)) == 1


def test_what_the_runner_would_drop_is_counted() -> None:
    """It shows ten of a kind per step: the tenth says how many more there are."""
    errors = [Finding(rule="r", message=f"e{n}") for n in range(14)]
    warnings = [Finding(rule="r", message=f"w{n}", severity=Severity.WARNING) for n in range(10)]

    lines = ci.annotations(found(*errors, *warnings), Vendor.GITHUB)

    assert len([line for line in lines if line.startswith("::error")]) == 10
    assert len([line for line in lines if line.startswith("::warning")]) == 10
    assert "::error::5 more are in the job's summary" in lines


@given(hostile, hostile, hostile)
@example("a,line=9::x", "r,file=b", "50%0A::error::x")
def test_an_annotation_is_one_command(file: str, rule: str, message: str) -> None:
    """Whatever a message holds, it is the data of one command with our properties."""
    finding = Finding(rule=rule, message=message, place=Place(file, 1))

    (line,) = ci.annotations(found(finding), Vendor.GITHUB)

    assert re.fullmatch(
        r"::error( (?:file|line|col|title)=[^:,\n\r]*(,(line|col|title)=[^:,\n\r]*)*)?::[^\n\r]*",
        line,
    )


def test_only_github_has_annotations() -> None:
    """Another CI's log would show them as noise."""
    finding = Finding(rule="r", message="x")

    assert ci.annotations(found(finding), Vendor.GITLAB) == ()


def test_outputs_are_small_facts() -> None:
    """What a later step's condition needs, each on one line."""
    change = ChangeView(id=API, action=Action.UPDATE)
    plans = (PlanView(compared="cluster", changes=(change,)), PlanView(compared="base"))
    results = (
        Result(environment="staging", plans=plans),
        Result(environment="prod", verdict=Verdict.REFUSED),
    )

    assert ci.outputs(sealed(*results)) == {
        "verdict": "refused",
        "exit-code": "4",
        "changes": "1",
        "environments": "staging,prod",
    }


def parsed(text: str) -> dict[str, str]:
    """Outputs as the runner reads them: by line, `=` before `<<`, else a here-document."""
    values: dict[str, str] = {}
    lines = iter(re.split(r"\r\n|\n|\r", text))
    for line in lines:
        equals, here = line.find("="), line.find("<<")
        if equals >= 0 and (here < 0 or equals < here):
            values[line[:equals]] = line[equals + 1 :]
        elif here >= 0:
            body = []
            for inner in lines:
                if inner == line[here + 2 :]:
                    break
                body.append(inner)
            values[line[:here]] = "\n".join(body)
    return values


@given(hostile)
@example("prod\nverdict=ok")
@example("x<<EOF")
def test_no_name_sets_another_output(name: str) -> None:
    """The runner reads exactly our outputs, whatever an environment is called."""
    report = sealed(Result(environment=name, verdict=Verdict.REFUSED))

    assert parsed(ci.output_text(report)) == dict(ci.outputs(report))
    assert parsed(ci.output_text(report))["verdict"] == "refused"
