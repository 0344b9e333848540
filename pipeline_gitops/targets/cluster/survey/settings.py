"""What one survey is about: the same for every object that it looks at."""

from pipeline_gitops.config import Policy
from pipeline_gitops.inventories import Inventory
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.ports import Clock
from pipeline_gitops.targets.cluster.api.apis import Apis
from pipeline_gitops.targets.cluster.api.objects import Objects
from pipeline_gitops.values import dataclass

DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One environment's wanted objects, its inventory, and the cluster that they are held against.

    *apply_set*: the value of the label that marks the inventory's members. *defined*: kinds that
    CustomResourceDefinitions of the set define. *target*: how people know the cluster.
    """

    objects: Objects
    apis: Apis
    clock: Clock
    policy: Policy
    apply_set: str
    target: str
    desired: ManifestSet
    inventory: Inventory
    defined: Kinds
