"""What a cause is."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from pipeline_gitops.documents import Body
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.values import dataclass

Wanted = Mapping[ObjectId, Body]  # the objects of the same deploy, by identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """A Kubernetes event, as far as it explains something."""

    reason: str
    message: str
    kind: str = ""  # of the object that it is about
    name: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why an object does not get well, in one sentence.

    *rule* names the kind of cause for machines ("image-not-found"). *final*: waiting longer cannot
    help; anything else may heal, and counts only when it persists. *restarts*: of the container.
    *grace_s*: how much longer its own settings let it take.
    """

    rule: str
    sentence: str
    final: bool = False
    cure: str = ""
    restarts: int = 0
    grace_s: float = 0.0
    pods: int = 1  # how many pods suffer from the same

    @property
    def key(self) -> tuple[str, str]:
        """What makes two causes one."""
        return (self.rule, self.sentence)

    @property
    def said(self) -> str:
        """The sentence, and how many pods it is about if there are several."""
        return f"{self.sentence} ({self.pods} pods)" if self.pods > 1 else self.sentence


def meant(name: str, known: Iterable[str]) -> str:
    """A question about the name that was probably meant, or ""."""
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
