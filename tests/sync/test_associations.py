from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import boto3
import pytest

import mlflow_smwatch
from mlflow_smwatch.aws.entities import EntityReader
from mlflow_smwatch.core.errors import JobError, UnknownJobError
from mlflow_smwatch.core.lineage_tags import from_tags
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.engine.associations import AssociationMirror, Copied
from mlflow_smwatch.engine.connection import Connection
from mlflow_smwatch.options import SyncOptions
from tests import kinds
from tests.sync.conftest import Mirror

ARNS = "arn:aws:sagemaker:us-east-1:123456789012"
ASSOCIATIONS = "sagemaker:ListAssociations"
OLD = datetime(2026, 1, 31, 23, 59, 30, tzinfo=timezone.utc)
TYPES = ("ContributedTo", "AssociatedWith", "DerivedFrom", "Produced", "SameAs", None)


@dataclass
class World:
    """Lineage in an account, and the same as plain sets: vertex ARN → id, pairs of ids."""

    account: EmulatedAccount
    ids: dict[str, str] = field(default_factory=dict)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    recorded: set[tuple[str, str]] = field(default_factory=set)

    def component(self, name: str, **answer: object) -> str:
        arn = self.account.experiments.put_trial_component(
            {"TrialComponentName": name, "CreationTime": OLD, **answer}
        )
        return self._known(arn, arn)

    def artifact(self, uri: str, kind: str = "DataSet") -> str:
        return self._known(self.account.lineage.put_artifact(uri, kind=kind, created=OLD), uri)

    def opaque(self, uri: str) -> str:
        arn = self.account.lineage.put_artifact(uri, kind="Report", created=OLD)
        return self._known(arn, arn)

    def action(self, name: str) -> str:
        arn = self.account.lineage.put_action(name, f"{ARNS}:endpoint/{name}", created=OLD)
        return self._known(arn, arn)

    def endpoint(self, name: str) -> str:
        uri = f"{ARNS}:endpoint/{name}"
        return self._known(
            self.account.lineage.put_context(f"{name}-context", uri, created=OLD), uri
        )

    def join(
        self, source: str, target: str, kind: str | None = None, created: datetime = OLD
    ) -> None:
        if (source, target) in self.recorded:
            return
        self.account.lineage.associate(source, target, kind, created)
        self.recorded.add((source, target))
        self.pairs.add((self.ids[source], self.ids[target]))

    def reached(self, start: str, *, upstream: bool) -> set[str]:
        """Say what is reached from an id; written out once more, without the package's code."""
        found: set[str] = set()
        border = {start}
        while border:
            border = {
                (a if upstream else b)
                for a, b in self.pairs
                if (b if upstream else a) in border and (a if upstream else b) not in found
            }
            found |= border
        return found - {start}

    def _known(self, arn: str, id_: str) -> str:
        self.ids[arn] = id_
        return arn


@pytest.fixture
def world(mirror: Mirror) -> World:
    return World(mirror.account)


def chain(world: World, length: int) -> list[str]:
    """Make data → component → data → … ; give the ARNs."""
    arns = [
        world.artifact(f"s3://bucket/step-{n}/") if n % 2 == 0 else world.component(f"step-{n}")
        for n in range(length)
    ]
    for n in range(length - 1):
        world.join(arns[n], arns[n + 1], created=OLD + timedelta(seconds=n))
    return arns


def copy(
    mirror: Mirror,
    stopped: Callable[[], bool] = lambda: False,
    around: tuple[str, ...] = (),
    **options: bool,
) -> Copied:
    """Copy associations as a pass of a process of its own does."""
    mirror.account.reset_calls()
    chosen = SyncOptions(tracking_uri=mirror.uri, **options)  # type: ignore[arg-type]
    connection = Connection.to(chosen)
    context = connection.context(chosen, stopped)
    work = AssociationMirror(context, connection.tracking, EntityReader(connection.aws))
    copied = work.mirror_around(around) if around else work.mirror_new()
    mirror.account.calls.pop("sts:GetCallerIdentity", None)
    if chosen.dry_run:
        assert connection.aws.ledger.calls[ASSOCIATIONS] == 1
    return copied


def stored(mirror: Mirror) -> Counter[tuple[str, str, str]]:
    """Count the edges as they stand in the store."""
    ids = [each.experiment_id for each in mirror.experiments() if each.name == "sagemaker/lineage"]
    runs = mirror.client.search_runs(ids, max_results=100) if ids else []
    edges = (edge for run in runs for edge in from_tags(run.data.tags).edges)
    return Counter((each.source, each.target, each.type) for each in edges)


def months(mirror: Mirror) -> set[str]:
    (lineage,) = [each for each in mirror.experiments() if each.name == "sagemaker/lineage"]
    return {run.info.run_name or "" for run in mirror.client.search_runs([lineage.experiment_id])}


def check_all(world: World, mirror: Mirror) -> None:
    """Compare both directions of every node with the closure."""
    graph = mlflow_smwatch.lineage(tracking_uri=mirror.uri)
    for id_ in {end for pair in world.pairs for end in pair}:
        assert {node.id for node in graph.upstream(id_)} == world.reached(id_, upstream=True)
        assert {node.id for node in graph.downstream(id_)} == world.reached(id_, upstream=False)


@pytest.mark.parametrize("seed", range(4))
def test_every_closure_is_complete(world: World, mirror: Mirror, seed: int) -> None:
    """Whatever the graph, all that leads to a node and comes from it is known from MLflow alone."""
    chance = random.Random(seed)
    arns = [
        *chain(world, 15),
        *(world.component(f"component-{n}") for n in range(8)),
        *(world.artifact(f"s3://bucket/data-{n}/part") for n in range(8)),
        world.artifact("s3://bucket/data-0/part", kind="Model"),
        world.artifact("123456789012.dkr.ecr.us-east-1.amazonaws.com/train:1", kind="Image"),
        world.opaque("https://example.com/report"),
        *(world.action(f"action-{n}") for n in range(3)),
        *(world.endpoint(f"endpoint-{n}") for n in range(3)),
    ]
    for n in range(50):
        created = OLD + timedelta(minutes=chance.randrange(100_000))
        source, target = chance.sample(arns, 2) if n else (arns[14], arns[0])
        world.join(source, target, chance.choice(TYPES), created)
    mirror.account.faults.page_size(ASSOCIATIONS, 7)
    mirror.account.faults.empty_pages(ASSOCIATIONS)
    copied = copy(mirror)
    assert copied == Copied(edges=len(world.recorded))
    assert sum(stored(mirror).values()) == len(world.recorded)
    check_all(world, mirror)


def test_query_lineage_alone_is_cut(world: World, mirror: Mirror) -> None:
    """A chain of 30 is known to its end, where SageMaker's own query ends after 10 steps."""
    first, *others = chain(world, 30)
    copy(mirror)
    asked = boto3.client("sagemaker").query_lineage(
        StartArns=[first], Direction="Descendants", MaxDepth=10
    )
    assert len(asked["Vertices"]) == 10
    graph = mlflow_smwatch.lineage("s3://bucket/step-0/", tracking_uri=mirror.uri)
    assert [node.id for node in graph.downstream()] == [world.ids[each] for each in others]


def test_a_second_pass_asks_once_and_writes_nothing(world: World, mirror: Mirror) -> None:
    """What was read is not described or written again; no experiment is made in vain."""
    assert copy(mirror) == Copied()
    assert mirror.account.calls == {ASSOCIATIONS: 1}
    assert [each.name for each in mirror.experiments()] == ["Default"]
    chain(world, 20)
    assert copy(mirror) == Copied(edges=19)
    before = mirror.dump()
    assert copy(mirror) == Copied()
    assert mirror.account.calls == {ASSOCIATIONS: 1}
    assert mirror.dump() == before


def test_many_old_pages_are_not_read_again(world: World, mirror: Mirror) -> None:
    """After a burst of associations, the next pass begins behind it."""
    centre = world.component("centre")
    for n in range(150):
        world.join(world.artifact(f"s3://bucket/{n}"), centre)
    assert copy(mirror).edges == 150
    assert mirror.account.calls == {ASSOCIATIONS: 2, "sagemaker:ListArtifacts": 2}
    assert copy(mirror) == Copied()
    assert mirror.account.calls == {ASSOCIATIONS: 1}


def test_few_artifacts_are_described_many_are_listed(world: World, mirror: Mirror) -> None:
    """Ten calls at most for what a listing gives in one; what is known is not asked for again."""
    chain(world, 20)
    copy(mirror)
    assert mirror.account.calls == {ASSOCIATIONS: 1, "sagemaker:DescribeArtifact": 10}
    centre = world.component("centre")
    for n in range(11):
        world.join(world.artifact(f"s3://bucket/more-{n}"), centre)
    assert copy(mirror).edges == 11
    assert mirror.account.calls == {ASSOCIATIONS: 1, "sagemaker:ListArtifacts": 1}


def test_late_associations_are_found(world: World, mirror: Mirror) -> None:
    """One that the list lacked is read with the overlap of the next pass, with each month's own."""
    first, second, third = chain(world, 3)
    copy(mirror)
    world.join(third, first, created=OLD - timedelta(minutes=10))
    world.join(second, first, created=OLD + timedelta(minutes=1))
    assert copy(mirror).edges == 2
    check_all(world, mirror)
    assert months(mirror) == {
        "123456789012 us-east-1 2026-01",
        "123456789012 us-east-1 2026-02",
    }


def test_passes_that_are_cut_off(world: World, mirror: Mirror) -> None:
    """Wherever passes end between pages, nothing is lost and nothing is stored twice."""
    chain(world, 40)
    mirror.account.faults.page_size(ASSOCIATIONS, 6)

    class Killed(BaseException):
        pass

    def end() -> bool:
        raise Killed

    cuts = 0
    for _ in range(20):
        before = sum(stored(mirror).values())
        try:
            copy(mirror, end)
        except Killed:
            cuts += 1
        if sum(stored(mirror).values()) == before:
            break
        assert sum(stored(mirror).values()) <= before + 6
    copy(mirror)
    assert cuts >= 1
    assert set(stored(mirror).values()) == {1}
    assert len(stored(mirror)) == 39
    check_all(world, mirror)


def test_a_pass_that_is_stopped_goes_on_next_time(world: World, mirror: Mirror) -> None:
    """A signal ends the reading after a page; the next pass begins there."""
    chain(world, 40)
    mirror.account.faults.page_size(ASSOCIATIONS, 30)
    assert copy(mirror, lambda: True).edges == 30
    assert copy(mirror).edges == 9
    check_all(world, mirror)


def test_two_mirrors_at_once(world: World, mirror: Mirror) -> None:
    """Both see an empty store and write: the graph has each edge once."""
    chain(world, 8)
    options = SyncOptions(tracking_uri=mirror.uri)
    connections = [Connection.to(options) for _ in range(2)]
    contexts = [each.context(options) for each in connections]
    for connection, context in zip(connections, contexts, strict=True):
        reader = EntityReader(connection.aws)
        assert AssociationMirror(context, connection.tracking, reader).mirror_new().edges == 7
    check_all(world, mirror)
    assert len(mlflow_smwatch.lineage(tracking_uri=mirror.uri).edges) == 7
    assert copy(mirror) == Copied()


def test_denied_associations(world: World, mirror: Mirror) -> None:
    """One warning that names the permission, no failure, nothing made; later it is all read."""
    chain(world, 3)
    mirror.account.faults.deny(ASSOCIATIONS)
    copied = copy(mirror)
    assert copied.edges == 0
    (warning,) = copied.warnings
    assert "sagemaker:ListAssociations is denied" in warning
    mirror.account.faults.clear()
    assert copy(mirror).edges == 2


def test_denied_artifacts(world: World, mirror: Mirror) -> None:
    """Edges keep the ARNs, with one warning; once it is allowed, they are read again."""
    data, step, other = chain(world, 3)
    mirror.account.faults.deny("sagemaker:*Artifact*")
    copied = copy(mirror)
    assert copied.edges == 2
    (warning,) = copied.warnings
    assert "sagemaker:DescribeArtifact is denied" in warning
    assert {source for source, _, _ in stored(mirror)} == {data, step}
    denied_still = copy(mirror)
    assert (denied_still.edges, len(denied_still.warnings)) == (0, 0)
    mirror.account.faults.clear()
    assert copy(mirror).edges == 2
    check_all(world, mirror)
    graph = mlflow_smwatch.lineage(other, tracking_uri=mirror.uri)
    assert graph.root == "s3://bucket/step-2/"
    assert len(graph.edges) == 2
    copy(mirror)
    assert mirror.account.calls == {ASSOCIATIONS: 1}


def test_a_deleted_experiment(world: World, mirror: Mirror) -> None:
    """Lineage is left out with the command that restores it, and not read in vain."""
    chain(world, 3)
    copy(mirror)
    (lineage,) = [each for each in mirror.experiments() if each.name == "sagemaker/lineage"]
    mirror.client.delete_experiment(lineage.experiment_id)
    (warning,) = copy(mirror).warnings
    assert f"mlflow experiments restore --experiment-id {lineage.experiment_id}" in warning
    assert not mirror.account.calls


def test_a_dry_run_forecasts_one_call(world: World, mirror: Mirror) -> None:
    """Nothing is asked and nothing is written."""
    chain(world, 3)
    before = mirror.dump()
    assert copy(mirror, dry_run=True) == Copied()
    assert (dict(mirror.account.calls), mirror.dump()) == ({}, before)


def test_around_a_named_job(world: World, mirror: Mirror) -> None:
    """All that leads to a component and comes from it is copied, cycles too, and nothing else."""
    arns = chain(world, 12)
    world.join(arns[11], arns[0])
    aside = world.artifact("s3://bucket/aside")
    world.join(arns[4], world.component("aside"))
    world.join(aside, world.component("apart"))
    assert copy(mirror, around=(arns[7],)).edges == 13
    check_pairs = {(source, target) for source, target, _ in stored(mirror)}
    assert check_pairs == world.pairs - {
        ("s3://bucket/aside", f"{ARNS}:experiment-trial-component/apart")
    }
    assert copy(mirror, around=(arns[7],)).edges == 0
    assert copy(mirror).edges == 1
    check_all(world, mirror)


def test_a_deleted_component_is_no_crash(world: World, mirror: Mirror) -> None:
    """What SageMaker forgets with it stays in MLflow; a walk from it finds nothing."""
    arns = chain(world, 5)
    copy(mirror)
    mirror.account.experiments.remove_trial_component("step-1")
    assert copy(mirror, around=(arns[1],)) == Copied()
    assert copy(mirror) == Copied()
    check_all(world, mirror)


def put_models(world: World) -> None:
    """Make a job that reads data and writes a model, which an endpoint serves."""
    job = f"{ARNS}:training-job/trainer"
    component = world.component(
        "trainer-aws-training-job",
        Source={"SourceArn": job, "SourceType": "SageMakerTrainingJob"},
        InputArtifacts={"train": {"Value": "s3://bucket/extra/"}},
    )
    model = world.artifact("s3://bucket/model.tar.gz", kind="Model")
    world.join(world.artifact("s3://bucket/train/"), component)
    world.join(component, model, "Produced")
    action = world.action("deploy")
    world.join(model, action)
    world.join(action, world.endpoint("serving"))


@pytest.mark.parametrize(
    "asked",
    [
        "trainer",
        f"{ARNS}:training-job/trainer",
        "trainer-aws-training-job",
        f"{ARNS}:experiment-trial-component/trainer-aws-training-job",
    ],
)
def test_asking_aws_for_a_job(world: World, asked: str) -> None:
    """The same question to SageMaker: by any name of the job, with what its description adds."""
    put_models(world)
    graph = mlflow_smwatch.lineage(asked, source="aws")
    assert graph.root == f"{ARNS}:training-job/trainer"
    assert {node.id: node.kind for node in graph.upstream()} == {
        "s3://bucket/train/": "data",
        "s3://bucket/extra/": "data",
    }
    assert [node.kind for node in graph.downstream()] == ["model-data", "action", "endpoint"]
    assert len(mlflow_smwatch.lineage(asked, source="aws", depth=1).nodes) == 4


def test_asking_aws_for_data_and_endpoints(world: World) -> None:
    """An S3 URI and an endpoint are found by what artifacts and contexts stand for."""
    put_models(world)
    made = mlflow_smwatch.lineage("s3://bucket/train/", source="aws", direction="downstream")
    assert made.downstream()[-1].id == f"{ARNS}:endpoint/serving"
    assert made.upstream() == ()
    served = mlflow_smwatch.lineage("serving", source="aws", direction="upstream")
    assert f"{ARNS}:training-job/trainer" in {node.id for node in served.upstream()}


def test_asking_aws_for_a_job_in_small_letters(world: World) -> None:
    """SageMaker writes some names into ARNs in small letters; each spelling gives the same job."""
    job = f"{ARNS}:training-job/trainer-3"
    component = world.component(
        "Trainer-3-aws-training-job",
        TrialComponentArn=f"{ARNS}:experiment-trial-component/trainer-3-aws-training-job",
        Source={"SourceArn": job, "SourceType": "SageMakerTrainingJob"},
        InputArtifacts={"train": {"Value": "s3://bucket/extra/"}},
    )
    world.join(component, world.artifact("s3://bucket/model.tar.gz", kind="Model"), "Produced")
    asked = ("Trainer-3", job, f"{ARNS}:training-job/Trainer-3", component)
    first, *others = (mlflow_smwatch.lineage(each, source="aws") for each in asked)
    assert first.root == job
    assert {node.id for node in first.nodes} == {
        job,
        "s3://bucket/extra/",
        "s3://bucket/model.tar.gz",
    }
    for other in others:
        assert (other.root, {*other.nodes}) == (first.root, {*first.nodes})


def test_asking_aws_where_components_may_not_be_described(world: World) -> None:
    """What is denied once is not asked for again, and leaves the walk whole."""
    put_models(world)
    near = world.component("near")
    world.join(near, f"{ARNS}:experiment-trial-component/trainer-aws-training-job")
    asked = f"{ARNS}:training-job/trainer"
    for allowed, calls in ((True, 2), (False, 1)):
        world.account.reset_calls()
        found = {node.id for node in mlflow_smwatch.lineage(asked, source="aws").nodes}
        assert {near, asked, f"{ARNS}:endpoint/serving"} <= found
        assert ("s3://bucket/extra/" in found) is allowed
        assert world.account.calls["sagemaker:DescribeTrialComponent"] == calls
        world.account.faults.deny("sagemaker:DescribeTrialComponent")


def put_packaged(account: EmulatedAccount) -> str:
    """Make two endpoints and a transform job of a model that is only a package; give its ARN."""
    created_ms = round(OLD.timestamp() * 1000)
    container = {"Image": kinds.IMAGE, "ModelDataUrl": "s3://bucket/model.tar.gz"}
    account.lineage.put_model_package_group("group", created=OLD)
    package = account.lineage.put_model_package(
        {
            "ModelPackageGroupName": "group",
            "InferenceSpecification": {"Containers": [container]},
            "CreationTime": OLD,
        }
    )
    packed = {"ModelPackageName": package}
    account.put_model(kinds.model("model", created_ms=created_ms, PrimaryContainer=packed))
    account.put_endpoint_config(kinds.endpoint_config("config", created_ms=created_ms))
    for name in ("first", "second"):
        account.put_job("endpoint", kinds.endpoint(name, created_ms=created_ms))
    transform = kinds.transform_job(
        "transform", created_ms=created_ms, ended_ms=created_ms + 60_000
    )
    account.put_job("transform-job", transform)
    return package


def test_model_packages(mirror: Mirror) -> None:
    """What a model package is made of is upstream of what uses it; one call a pass tells it."""
    operation = "sagemaker:DescribeModelPackage"
    package = put_packaged(mirror.account)
    mirror.account.faults.deny(operation)
    wanted = {
        "tracking_uri": mirror.uri,
        "kinds": ("endpoint", "transform-job"),
        "since": "2026-01-01",
    }
    report = mlflow_smwatch.sync(**wanted)
    assert (len(report.runs), report.failed) == (3, [])
    assert f"no model package: {operation}" in mirror.warnings(report)
    mirror.account.faults.clear()
    mirror.account.reset_calls()
    assert mlflow_smwatch.sync(**wanted).warnings == []
    assert mirror.account.calls[operation] == 1
    graph = mlflow_smwatch.lineage(tracking_uri=mirror.uri)
    for asked in ("first", "second", "transform"):
        kind_of = {node.id: node.kind for node in graph.upstream(asked)}
        assert kind_of[package] == "model-package"
        assert kind_of["s3://bucket/model.tar.gz"] == "model-data"
        assert kind_of[kinds.IMAGE] == "image"


def test_asking_aws_for_nothing(world: World) -> None:
    """What SageMaker does not know is said in one line, and so is another Region."""
    with pytest.raises(UnknownJobError, match="recorded no lineage of nothing in us-east-1"):
        mlflow_smwatch.lineage("nothing", source="aws")
    with pytest.raises(JobError, match="--region eu-west-1"):
        mlflow_smwatch.lineage(
            "arn:aws:sagemaker:eu-west-1:123456789012:training-job/x", source="aws"
        )
    assert not world.recorded
