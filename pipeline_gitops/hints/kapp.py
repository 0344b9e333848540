"""kapp's annotations, `kapp.k14s.io/...`.

https://carvel.dev/kapp/docs/latest/apply-ordering/
https://carvel.dev/kapp/docs/latest/apply/

Rules about deleting are not followed: deletions are the writes backwards.

>>> of({"metadata": {"annotations": {
...     "kapp.k14s.io/change-rule": "upsert after upserting db"}}}).after_groups
('db',)
"""

from pipeline_gitops.documents import Body
from pipeline_gitops.hints.values import Reader, Said
from pipeline_gitops.patterns import pattern

PREFIX = "kapp.k14s.io"

_RULE = pattern(r"(upsert|delete) (after|before) (upserting|deleting) (\S+)")
_REPLACING = frozenset({"fallback-on-replace", "always-replace"})


def of(body: Body) -> Said:
    """What kapp's annotations say."""
    reader = Reader(body, PREFIX)
    groups: list[str] = []
    rules: dict[str, list[str]] = {"after": [], "before": []}
    for key, value in sorted(reader.given().items()):
        # An object that has several gives each a suffix: change-rule.db
        name = key.partition(".")[0]
        if name == "change-group":
            groups.append(value.strip())
        elif name == "change-rule":
            match = _RULE.fullmatch(" ".join(value.split()))
            if match is None:
                reader.wrong(key, 'write "upsert after upserting GROUP"')
            elif (match[1], match[3]) == ("upsert", "upserting"):
                rules[match[2]].append(match[4])
    return Said(
        groups=tuple(groups),
        after_groups=tuple(rules["after"]),
        before_groups=tuple(rules["before"]),
        keep=reader.text("delete-strategy") == "orphan" or None,
        replace=reader.text("update-strategy") in _REPLACING or None,
        problems=tuple(reader.problems),
    )
