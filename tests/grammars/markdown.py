"""What forges obey in a note: GitHub's own parser makes the HTML, and the rest reads that.

References are told by https://docs.github.com/get-started/writing-on-github (mentions, issues),
https://docs.gitlab.com/user/markdown/#gitlab-specific-references and
https://docs.gitlab.com/user/project/quick_actions/.
"""

import html
import re
from collections.abc import Iterator

import cmarkgfm
from cmarkgfm.cmark import Options

# A sign and what it may stand before; the forges want a boundary in front, we do not.
_REFERENCE = re.compile(r"[@#!$%&^~](?=[\w\"'{(\[*])|\bGH-\d", re.ASCII | re.IGNORECASE)
_AUTOLINK = re.compile(r"\w:(?=//)|\bwww\.", re.IGNORECASE)
_PLAIN = frozenset({"p", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"})


_CODE = re.compile(r"<(code|pre)\b.*?</\1>", re.DOTALL)  # its content is escaped: no tag in it
_TAG = re.compile(r"<(!--|[A-Za-z][\w-]*)")
_FENCED = re.compile(r"^(`{3,})[^`\n]*\n.*?\n\1$", re.DOTALL | re.MULTILINE)


def live(note: str) -> Iterator[str]:
    """What a forge would make of it but text: elements, mentions, references, quick actions."""
    page = cmarkgfm.github_flavored_markdown_to_html(note, options=Options.CMARK_OPT_UNSAFE)
    yield from (tag for tag in _TAG.findall(page) if tag not in _PLAIN)
    text = html.unescape(re.sub("<[^>]*>", "", _CODE.sub("\ufffc", page)))
    yield from _REFERENCE.findall(text)
    yield from _AUTOLINK.findall(text)
    # GitLab looks for quick actions at line starts, outside of what it takes for code; and we for
    # markers of ours at line starts, whatever is around them.
    yield from re.findall(r"(?m)^(?:/\w+|<!--)", note)
    yield from re.findall(r"(?m)^\s{0,3}/\w+", _FENCED.sub("", note))
