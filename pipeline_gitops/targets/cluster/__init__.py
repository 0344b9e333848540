"""A Kubernetes cluster, over its API server: server-side apply, dry runs, an ApplySet inventory."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from pipeline_gitops.config import ClusterSpec, Policy
from pipeline_gitops.errors import Fault, RefusedFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Owner, Version
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import ManifestSet, defined_kinds
from pipeline_gitops.plans import Outcome, Sight, State, Survey
from pipeline_gitops.ports import Clock, Writing
from pipeline_gitops.targets.cluster.api import credentials, readiness
from pipeline_gitops.targets.cluster.api.apis import Apis, discover
from pipeline_gitops.targets.cluster.api.objects import Objects
from pipeline_gitops.targets.cluster.api.readiness import Brought
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.api.transport import Transport
from pipeline_gitops.targets.cluster.live.watches import ClusterRuntime
from pipeline_gitops.targets.cluster.records import applysets
from pipeline_gitops.targets.cluster.records.applysets import Parent
from pipeline_gitops.targets.cluster.records.fences import FencedWrites, Fences, Stamped
from pipeline_gitops.targets.cluster.records.receipts import Terms
from pipeline_gitops.targets.cluster.survey.settings import Setting
from pipeline_gitops.targets.cluster.survey.surveys import Surveyor
from pipeline_gitops.targets.cluster.writes import Writes
from pipeline_gitops.views import Action

__all__ = ["ClusterTarget"]


_NAMESPACE = ("", "Namespace")


def _unsaid(_: str) -> None:
    """For whoever wants to hear nothing."""


class ClusterTarget:
    """One environment in one cluster. Implements `ports.Target`.

    Reading the credentials raises UsageFault or UnreachableFault; the server is asked only later.
    *deadline* is on the clock's elapsed seconds. *thorough*: surveys trust no receipts, and see
    what only a dry run shows, as an admission policy that came later. *say* takes a line about
    writes that take long.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        owner: Owner,
        environ: Mapping[str, str],
        *,
        policy: Policy,
        clock: Clock,
        deadline: float,
        thorough: bool = False,
        hide: credentials.Hide = credentials.unhidden,
        say: Callable[[str], None] = _unsaid,
    ) -> None:
        connection = credentials.connect(spec, environ=environ, hide=hide)
        self._name = f"cluster {connection.context}"
        self._policy = policy
        self._clock = clock
        self._transport = Transport(connection, clock, deadline, patience_s=policy.retry_s)
        self._objects = Objects(self._transport)
        self._say = say
        self._parent = Parent(self._objects, applysets.parent_id(spec, owner), owner)
        self._runtime = ClusterRuntime(self._objects, self._known, clock)
        self._fences = Fences(self._objects, clock)
        self._seen: frozenset[ObjectId] = frozenset()  # as wanted, by the last survey
        self._served: Apis | None = None
        self._surveyed = False
        self._thorough = thorough
        self._terms = Terms()  # of the last survey
        self._brought = Brought()
        self._deadline = deadline
        self._defined = Kinds()  # by the set that was surveyed
        self._namespaces: Mapping[ObjectId, Sight] = {}  # that the surveyed set would create

    @property
    def name(self) -> str:
        """How people know it."""
        return self._name

    @property
    def runtime(self) -> ClusterRuntime:
        """What runs in it."""
        return self._runtime

    def kinds(self) -> Kinds:
        """The kinds that the server serves."""
        return self._apis().kinds

    def _apis(self) -> Apis:
        if self._served is None:
            self._served = discover(self._transport)
        return self._served

    def _known(self) -> Apis:
        """The kinds that are served, and those that the surveyed set brings."""
        return self._apis().over(self._defined)

    def inventory(self) -> Inventory:
        """What the environment owns. Raises RefusedFault where somebody else's is in its place."""
        return self._parent.read()

    def survey(self, desired: ManifestSet, inventory: Inventory) -> Survey:
        """What is there against what is wanted, tried out in dry runs."""
        if self._surveyed:
            self._served = None  # what was written since may have brought kinds
        self._surveyed = True
        self._defined = defined_kinds(manifest.document for manifest in desired.manifests)
        setting = Setting(
            objects=self._objects,
            apis=self._apis(),
            clock=self._clock,
            policy=self._policy,
            apply_set=applysets.set_id(self._parent.id),
            target=self._name,
            desired=desired,
            inventory=inventory,
            defined=self._defined,
        )
        started = self._clock.elapsed()
        surveyor = Surveyor(setting, thorough=self._thorough)
        survey = surveyor.survey()
        self._terms = surveyor.terms
        self._brought = readiness.brought(desired)
        self._seen = survey.unchanged - survey.completed
        self._runtime.remember(surveyor.seen(), started)
        self._namespaces = {
            sight.id: sight
            for sight in survey.sights
            if sight.id.group_kind == _NAMESPACE and sight.before is None
        }
        return survey

    def claim(self, inventory: Inventory) -> AbstractContextManager[Writing]:
        """Writes the claimed inventory by compare-and-swap. Raises Stale, RefusedFault."""
        return self._claim(inventory)

    @contextmanager
    def _claim(self, inventory: Inventory) -> Iterator[Writing]:
        created: tuple[Outcome, ...] = ()
        claim = inventory.claim
        if claim is None or claim.ids or claim.inherited:
            self._runtime.forget()  # what was read will not be true any more
        try:
            version = self._parent.write(inventory, inventory.version)
        except ApiError as error:
            if not error.misses_namespace:
                raise self._refused(error) from None
            created = self._create_namespace(inventory)
            version = self._parent.write(inventory, inventory.version)
        apis = self._known()
        self._fences.close(inventory, version, apis, self._seen)
        stamped = Stamped(self._transport, inventory.epoch)
        yield FencedWrites(
            Writes(
                stamped,
                apis,
                self._parent,
                self._clock,
                version=version,
                created=created,
                terms=self._terms,
                brought=self._brought,
                deadline=self._deadline,
                patience_s=self._policy.object_timeout_s,
                say=self._say,
            ),
            stamped,
            parent=self._parent,
            fences=self._fences,
            apis=apis,
            epoch=inventory.epoch,
        )

    def hand_over(self) -> ObjectId:
        """Gives the inventory to kubectl, and says which it is. Raises RefusedFault."""
        self._parent.hand_over()
        return self._parent.id

    def take_back(self) -> ObjectId:
        """Takes the inventory back from kubectl, and says which it is. Raises RefusedFault."""
        self._parent.take_back()
        return self._parent.id

    def _refused(self, error: ApiError) -> Fault:
        if not error.rejects:
            return error
        return RefusedFault(
            f"{self._name} does not take the inventory {self._parent.id}: {error.message}",
            "see what stands against it; every deploy records there first what it will write",
        )

    def _create_namespace(self, inventory: Inventory) -> tuple[Outcome, ...]:
        """The namespace that the inventory goes to, where the same deploy creates it anyway."""
        name = self._parent.id.namespace
        id = ObjectId("", "Namespace", "", name)
        sight = self._namespaces.get(id)
        claimed = inventory.claim.ids if inventory.claim else ()
        resource = self._apis().resource("", "Namespace")
        if sight is None or sight.send is None or resource is None or id not in claimed:
            raise RefusedFault(
                f"{self._name} has no namespace {name} for the inventory",
                f"run `kubectl create namespace {name}`, or add the Namespace to the set",
            )
        try:
            self._objects.write(resource, id, sight.send.body, Version(""), force=False)
        except ApiError as error:
            if error.is_stale:  # somebody else was faster
                return ()
            raise
        return (Outcome(id=id, action=Action.CREATE, state=State.DONE),)
