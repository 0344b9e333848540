"""The order that is shown is the order that is carried out."""

from pipeline_gitops import plans
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.plans import Plan, Sight, outlines
from pipeline_gitops.views import EdgeView
from tests.unit.plans.bodies import survey
from tests.unit.plans.schedules import body, pods, set_of


def plan_of(set_: ManifestSet, *gone: ObjectId) -> Plan:
    """Everything of the set is created, and *gone* is deleted."""
    sights = [Sight(id=one.id, after=one.body, send=one) for one in set_.manifests]
    sights += [Sight(id=id, before={"kind": id.kind}) for id in gone]
    return plans.compute(survey(*sights), prune=True)


def test_waves_are_those_of_the_schedule() -> None:
    """In the order in which they are sent, with what they wait for; deletions say that they are."""
    set_ = set_of(body("ConfigMap", "a"), body("Deployment", "b", wave="1"))
    plan = plan_of(set_, ObjectId("", "ConfigMap", "shop", "old"))
    made = plans.schedule(plan, set_)

    shown = plans.outline(plan, set_)

    assert shown is not None
    assert [wave.ids for wave in shown.waves] == [
        tuple(change.id for change in wave.changes) for wave in (*made.main, *made.last)
    ]
    assert [wave.phase for wave in shown.waves] == ["", "", "deletions"]
    assert [set(wave.needs) for wave in shown.waves[:2]] == [set(w.needs) for w in made.main]


def test_edges_are_those_between_objects_that_are_sent() -> None:
    """An object that stays as it is needs no line."""
    pod = pods(volumes=[{"name": "v", "configMap": {"name": "a"}}])
    set_ = set_of(body("ConfigMap", "a"), body("Deployment", "b", pod))
    settings, deployment = sorted(one.id for one in set_.manifests)

    whole = plans.outline(plan_of(set_), set_)
    part = plans.outline(
        plans.compute(
            survey(*(Sight(id=m.id, after=m.body, send=m) for m in set_.manifests[1:])), prune=True
        ),
        set_,
    )

    assert whole is not None
    assert whole.edges == (EdgeView(user=deployment, needed=settings),)
    assert part is not None
    assert part.edges == ()


def test_what_waits_comes_first_where_not_all_is_shown() -> None:
    """A report of thousands of objects stays readable by programs."""
    many = [body("ConfigMap", f"c{n}") for n in range(outlines.MOST_EDGES + 5)]
    references = [{"configMapRef": {"name": f"c{n}"}} for n in range(len(many))]
    pod = pods(containers=[{"name": "x", "envFrom": references}])
    waiting = body("Deployment", "b", pod, after="Job/j")
    set_ = set_of(*many, body("Job", "j"), waiting)

    shown = plans.outline(plan_of(set_), set_)

    assert shown is not None
    assert len(shown.edges) == outlines.MOST_EDGES
    assert shown.edges[0].waits
    assert not shown.edges[-1].waits


def test_objects_that_wait_for_each_other_have_no_order() -> None:
    """That is a refusal, and told as one."""
    set_ = set_of(
        body("Job", "a", after="Job/b"),
        body("Job", "b", after="Job/a"),
    )

    assert plans.outline(plan_of(set_), set_) is None


def test_no_change_has_no_order() -> None:
    """There is nothing to send."""
    assert plans.outline(Plan(), set_of()) is None
