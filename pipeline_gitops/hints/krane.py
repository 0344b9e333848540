"""krane's annotations, `krane.shopify.io/...`.

https://github.com/Shopify/krane#customizing-behaviour-with-annotations

>>> of({"metadata": {"annotations": {"krane.shopify.io/timeout-override": "PT5M"}}}).timeout_s
300.0
"""

from pipeline_gitops.documents import Body
from pipeline_gitops.hints.values import Reader, Said

PREFIX = "krane.shopify.io"

_REPLACING = frozenset({"replace", "replace-force"})


def of(body: Body) -> Said:
    """What krane's annotations say."""
    reader = Reader(body, PREFIX)
    return Said(
        timeout_s=reader.seconds("timeout-override"),
        replace=reader.text("deploy-method-override") in _REPLACING or None,
        problems=tuple(reader.problems),
    )
