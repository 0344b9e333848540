"""Whatever a text holds, no CI runner and no terminal obeys it once it went through the console."""

import io
import re
from collections.abc import Callable, Iterator

import pytest

from pipeline_gitops import ci, masks, reports
from pipeline_gitops.ci import Vendor
from pipeline_gitops.journal import Console
from pipeline_gitops.views import Finding, Report, Result
from tests.campaigns import examples
from tests.grammars import logs
from tests.grammars.texts import LOG, texts

COUNT = 30_000  # of each reader
READERS: dict[Vendor, Callable[[str], Iterator[str]]] = {
    Vendor.GITHUB: logs.github,
    Vendor.GITLAB: logs.gitlab,
    Vendor.JENKINS: logs.jenkins,
    Vendor.NONE: logs.terminal,
}


@pytest.mark.parametrize("vendor", READERS, ids=str)
def test_no_text_is_obeyed(vendor: Vendor) -> None:
    """Neither as progress nor as it stands; the same texts are obeyed when nobody touches them."""
    obeyed = 0
    for text in texts(examples(COUNT), LOG):
        obeyed += any(True for _ in READERS[vendor](text))
        for shown in (
            ci.neutral(masks.clean(text), vendor),
            ci.neutral("  " + masks.clean(text).replace("\n", " "), vendor),
        ):
            assert list(READERS[vendor](shown)) == [], ascii(text)
            assert list(logs.terminal(shown)) == [], ascii(text)

    # Console notes and sections are long, and come about more rarely.
    assert obeyed > examples(COUNT) / (1_000 if vendor in (Vendor.GITLAB, Vendor.JENKINS) else 10)


def _report(text: str) -> masks.Sealed:
    finding = Finding(rule=text, message=text, cure=text, pointer=text)
    result = Result(environment=text, findings=(finding,), notices=(text,), dangers=(text,))
    return masks.seal(Report(command="run", results=(result,), notices=(text,)), ())


@pytest.mark.parametrize("vendor", READERS, ids=str)
def test_no_report_is_obeyed(vendor: Vendor) -> None:
    """A result on stdout, with colours and without; only what `ci` means as a command is one."""
    for number, text in enumerate(texts(examples(400), LOG)):
        stdout = io.StringIO()
        console = Console(vendor, stdout=stdout, stderr=stdout)

        console.show(reports.terminal(_report(text), colour=number % 2 == 0))

        shown = _without_fence(stdout.getvalue())
        assert list(READERS[vendor](shown)) == [], ascii(text)


def _without_fence(log: str) -> str:
    """A log without the commands that stop and resume the runner's commands: these are ours."""
    fenced = re.fullmatch(r"::stop-commands::([0-9a-f]{32})\n(.*)::\1::\n", log, re.DOTALL)
    return fenced[2] if fenced else log


def test_a_result_is_fenced_off_from_the_runner() -> None:
    """On GitHub no command counts in between, whatever slipped through; each fence has its own
    word, or a text could know it."""
    logs_ = []
    for _ in range(2):
        stdout = io.StringIO()
        Console(Vendor.GITHUB, stdout=stdout).show(reports.sentence("hello"))
        logs_.append(stdout.getvalue())

    words = [re.fullmatch(r"::stop-commands::(\w{32})\nhello\n::\1::\n", log) for log in logs_]
    assert all(words)
    assert logs_[0] != logs_[1]


def test_an_annotation_is_one_command() -> None:
    """Whatever a finding says, its command ends with its line and sets no other property."""
    for text in texts(examples(5_000), LOG):
        lines = ci.annotations(_report(text), Vendor.GITHUB)

        for line in lines:
            assert not re.search("[\r\n\x85\u2028\u2029]", line), ascii(text)
            head = line[2:].partition("::")[0]
            assert re.fullmatch(
                r"error( [a-z]+=[^:,\s]*([ \xa0-\U0010ffff\t][^:,]*)?(,[a-z]+=[^:,]*)*)?", head
            ), ascii(head)
