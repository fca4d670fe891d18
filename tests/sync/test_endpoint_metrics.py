"""Endpoints' metrics: which series, which points, at which calls, for as long as they are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import mlflow_smwatch
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.errors import AwsError
from mlflow_smwatch.engine.mirror import Mirror as EngineMirror
from mlflow_smwatch.report import SyncReport
from tests import kinds
from tests.jobs import DAY_MS, HOUR_MS, MINUTE_MS, Points, Samples, now_ms, whole
from tests.sync.conftest import ASSOCIATIONS, IDENTITY, METRICS, Mirror

INVOCATIONS, INSTANCES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
COMPONENTS = "/aws/sagemaker/InferenceComponents"
LIST_ENDPOINTS, LIST_METRICS = "sagemaker:ListEndpoints", "cloudwatch:ListMetrics"
FOUND = {LIST_ENDPOINTS: 1, ASSOCIATIONS: 1}
"""What it takes to find endpoints."""

FOLLOWED = {**FOUND, LIST_METRICS: 3, METRICS: 1}
"""What a pass takes over endpoints that are as they were, however many series they have."""

CREATED_MS = whole(now_ms()) - 3 * HOUR_MS


@dataclass
class Shop:
    """One endpoint and the store that mirrors it."""

    mirror: Mirror
    name: str
    created_ms: int = CREATED_MS

    def put(
        self, *variants: str, config: str = "config", modified_ms: int | None = None, **changes: Any
    ) -> None:
        """Put the endpoint into service, or change it."""
        account, named = self.mirror.account, variants or ("blue",)
        models = {variant: f"model-{variant}" for variant in named}
        for model in models.values():
            account.put_model(kinds.model(model, created_ms=self.created_ms, **changes))
        account.put_endpoint_config(
            kinds.endpoint_config(config, created_ms=self.created_ms, variants=models)
        )
        account.put_job(
            "endpoint",
            kinds.endpoint(
                self.name,
                created_ms=self.created_ms,
                modified_ms=modified_ms,
                config=config,
                variants=named,
            ),
        )

    def measure(
        self,
        name: str,
        samples: Samples,
        variant: str | None = "blue",
        namespace: str = INVOCATIONS,
        **dimensions: str,
    ) -> None:
        """Let CloudWatch have samples of a metric."""
        place = {"EndpointName": self.name, "VariantName": variant} if variant else {}
        self.mirror.account.put_metric(namespace, name, {**place, **dimensions}, samples)

    def sync(self, *names: str, **options: Any) -> SyncReport:
        """Make a pass over endpoints."""
        report = self.mirror.sync(
            *names, **{"kinds": ("endpoint",), "artifacts": "none", **options}
        )
        assert report.failed == []
        return report

    def sync_to(self, minutes: float, **options: Any) -> SyncReport:
        """Make a pass that sees what was settled some minutes after the endpoint was made."""
        horizon_ms = self.created_ms + int(minutes * MINUTE_MS)
        return self.sync(settle_s=(now_ms() - horizon_ms) // 1000 - 30, **options)

    @property
    def calls(self) -> Mapping[str, int]:
        """The calls of the last pass."""
        return dict(self.mirror.account.calls)

    def points(self) -> dict[str, Points]:
        """Give all points of the endpoint's one run but those of deployments."""
        (run,) = self.mirror.runs()
        return self.mirror.series(run)

    def tags(self) -> dict[str, str]:
        """Give the tags of the one run."""
        (run,) = self.mirror.runs()
        return dict(run.data.tags)

    def verified(self, **options: Any) -> None:
        """Let the run be compared with AWS: it is equal."""
        report = mlflow_smwatch.verify(
            **{"tracking_uri": self.mirror.uri, "kinds": ("endpoint",), "settle_s": 0, **options}
        )
        assert list(report.differences) == []
        assert (report.jobs, report.equal) == (1, 1)


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """Serve one account for all tests here; each has an endpoint of its own, and removes it."""
    with pytest.MonkeyPatch.context() as patch, EmulatedAccount() as account:
        for name, value in account.environment.items():
            patch.setenv(name, value)
        yield account


@pytest.fixture
def shop(mirror: Mirror, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """Make an endpoint, three hours old, that is not in the account yet."""
    shop = Shop(mirror, request.node.name.replace("_", "-")[5:])
    yield shop
    mirror.account.faults.clear()
    with suppress(AwsError):
        mirror.account.remove_job("endpoint", shop.name)


def minutes(values: Sequence[float], begin: int = 0, created_ms: int = CREATED_MS) -> Samples:
    """Give one sample a minute."""
    return [(created_ms + (begin + at) * MINUTE_MS, value) for at, value in enumerate(values)]


def expected(samples: Samples, created_ms: int = CREATED_MS) -> Points:
    """Give the points of samples that are alone in their minutes."""
    return [(at, (at - created_ms) // 1000, value) for at, value in samples]


def test_two_variants(shop: Shop) -> None:
    """Counts are sums, all else averages; microseconds and percent are as CloudWatch has them."""
    shop.put("blue", "green")
    twice = [(at, 1.0) for at, _ in minutes([0, 0, 0]) for _ in range(2)]
    shop.measure("Invocations", twice)
    shop.measure("Invocation4XXErrors", minutes([0.0, 1.0]))
    shop.measure("ModelLatency", [*minutes([1000.0, 3000.0]), *minutes([2000.0])])
    shop.measure("Invocations", minutes([7.0], begin=1), "green")
    shop.measure("CPUUtilization", minutes([180.5, 20.0]), "green", INSTANCES)
    shop.sync()
    assert shop.points() == {
        "blue/invocations": expected(minutes([2.0, 2.0, 2.0])),
        "blue/invocation_4xx_errors": expected(minutes([0.0, 1.0])),
        "blue/model_latency": expected(minutes([1500.0, 3000.0])),
        "green/invocations": expected(minutes([7.0], begin=1)),
        "system/green/cpu_utilization_percentage": expected(minutes([180.5, 20.0])),
    }
    shop.verified()


def test_a_second_pass(shop: Shop) -> None:
    """It writes what is settled by then, at one call for all series; without news, nothing."""
    shop.put()
    shop.measure("Invocations", minutes([1.0] * 100))
    assert shop.sync_to(10).points == 10 + 1  # that of the deployment
    forecast = shop.sync_to(20, dry_run=True)
    assert shop.sync_to(20).points == 10
    assert shop.calls == FOLLOWED == forecast.aws_calls
    assert shop.points()["blue/invocations"] == expected(minutes([1.0] * 20))
    before = shop.mirror.dump()
    report = shop.sync_to(20)
    assert (report.jobs["unchanged"], shop.calls) == (1, FOUND)
    assert shop.mirror.dump() == before
    shop.verified()
    shop.sync()
    assert shop.points()["blue/invocations"] == expected(minutes([1.0] * 100))


def test_what_the_description_does_not_tell(shop: Shop) -> None:
    """Other metrics, hosts and dimensions are listed; once known, they are read for good."""
    shop.put()
    samples = minutes([5.0] * 60)
    shop.measure("ModelSetupTime", samples)
    shop.measure("Größe: odd", samples)
    shop.measure("CPUUtilization", samples, None, INSTANCES, Host=f"{shop.name}/blue/i-1")
    shop.measure(
        "GPUUtilization", samples, InstanceId="i-1", AcceleratorId="0", namespace=INSTANCES
    )
    shop.measure("CPUUtilization", samples, None, INSTANCES, Host="other/blue/i-1")
    shop.measure("ModelSetupTime", samples, None, EndpointName="other", VariantName="blue")
    shop.sync_to(20)
    keys = {
        "blue/model_setup_time",
        "blue/Größe: odd",
        "system/blue/i-1/cpu_utilization_percentage",
        "system/blue/i-1/0/gpu_utilization_percentage",
    }
    assert shop.points() == dict.fromkeys(keys, expected(samples[:20]))
    shop.mirror.account.faults.deny(LIST_METRICS)
    report = shop.sync_to(40)
    assert "cloudwatch:ListMetrics" in shop.mirror.warnings(report)
    assert shop.points() == dict.fromkeys(keys, expected(samples[:40]))
    assert "smwatch.warning" not in shop.tags()
    shop.verified()


def test_what_is_discovered_late(shop: Shop) -> None:
    """It is read from the beginning, however far the others are."""
    shop.put()
    shop.measure("Invocations", minutes([1.0] * 60))
    shop.sync_to(20)
    shop.measure("ModelSetupTime", minutes([2.0] * 60, begin=3))
    shop.sync_to(40)
    shop.sync_to(50)
    assert shop.points() == {
        "blue/invocations": expected(minutes([1.0] * 50)),
        "blue/model_setup_time": expected(minutes([2.0] * 47, begin=3)),
    }
    shop.verified()


def test_containers(shop: Shop) -> None:
    """Each has a latency of its own, told by the model: no list is needed."""
    containers = [{"Image": kinds.IMAGE, "ContainerHostname": "prepare"}, {"Image": kinds.IMAGE}]
    shop.put(PrimaryContainer=None, Containers=containers)
    shop.mirror.account.faults.deny(LIST_METRICS)
    for name, value in (("prepare", 10.0), ("container-2", 20.0)):
        shop.measure("ContainerLatency", minutes([value]), ContainerName=name)
    shop.sync()
    assert shop.points() == {
        "blue/prepare/container_latency": expected(minutes([10.0])),
        "blue/container-2/container_latency": expected(minutes([20.0])),
    }


def test_percentiles(shop: Shop) -> None:
    """Each latency has one series more for each; chosen later, they begin at the beginning."""
    shop.put()
    samples = [(at, value) for at, _ in minutes([0] * 9) for value in (1.0, 2.0, 3.0)]
    shop.measure("ModelLatency", samples)
    shop.sync_to(5)
    assert list(shop.points()) == ["blue/model_latency"]
    shop.sync_to(8, latency_percentiles=("p50", "p100"))
    shop.sync_to(9, latency_percentiles=("p50", "p100"))
    assert shop.points() == {
        "blue/model_latency": expected(minutes([2.0] * 9)),
        "blue/model_latency/p50": expected(minutes([2.0] * 9)),
        "blue/model_latency/p100": expected(minutes([3.0] * 9)),
    }
    shop.verified()


def test_a_new_variant(shop: Shop) -> None:
    """Another configuration changes what is asked for; the curves of the former one stay."""
    shop.put("blue")
    shop.measure("Invocations", minutes([1.0] * 30))
    shop.sync_to(10)
    shop.put("green", config="next", modified_ms=CREATED_MS + 20 * MINUTE_MS)
    shop.measure("Invocations", minutes([2.0] * 30, begin=20), "green")
    shop.sync_to(40)
    assert shop.points() == {
        "blue/invocations": expected(minutes([1.0] * 30)),
        "green/invocations": expected(minutes([2.0] * 20, begin=20)),
    }
    shop.verified()


def test_nothing_is_settled_yet(shop: Shop) -> None:
    """The run is made; passes without a closed period write nothing."""
    shop.created_ms = now_ms()
    shop.put()
    assert shop.sync(settle_s=600).jobs["created"] == 1
    before = shop.mirror.dump()
    assert shop.sync(settle_s=600).jobs["unchanged"] == 1
    assert (shop.mirror.dump(), shop.calls) == (before, FOUND)


def test_no_metrics(shop: Shop) -> None:
    """Nothing is listed or read where no metrics are wanted; wanted later, all are there."""
    shop.put()
    shop.measure("Invocations", minutes([1.0] * 10))
    shop.sync(metrics="off")
    assert not {LIST_METRICS, METRICS} & shop.calls.keys()
    shop.sync(metrics="off")
    assert shop.calls == FOUND
    shop.sync()
    assert shop.points() == {"blue/invocations": expected(minutes([1.0] * 10))}


def test_gone(shop: Shop) -> None:
    """What came after the last pass is read before the run is final; late points too."""
    shop.put()
    shop.measure("Invocations", minutes([1.0] * 100))
    shop.measure("ModelSetupTime", minutes([3.0] * 100))
    shop.sync_to(30)
    shop.measure("Invocation4XXErrors", minutes([1.0]))
    shop.mirror.account.remove_job("endpoint", shop.name)
    shop.sync()
    (run,) = shop.mirror.runs()
    assert (run.info.status, shop.tags().get("smwatch.final")) == ("FINISHED", None)
    assert shop.points()["blue/invocations"] == expected(minutes([1.0] * 100))
    forecast = shop.sync(settle_s=0, dry_run=True)
    report = shop.sync(settle_s=0)
    assert (report.points, report.aws_calls) == (1, forecast.aws_calls)
    assert shop.points() == {
        "blue/invocations": expected(minutes([1.0] * 100)),
        "blue/model_setup_time": expected(minutes([3.0] * 100)),
        "blue/invocation_4xx_errors": expected(minutes([1.0])),
    }
    assert shop.tags()["smwatch.final"] == "true"
    (after,) = shop.mirror.runs()
    assert after.info.end_time == run.info.end_time
    before = shop.mirror.dump()
    shop.sync(settle_s=0)
    assert shop.mirror.dump() == before
    assert shop.calls == {**FOUND, IDENTITY: 1}


def test_a_name_that_is_used_again(shop: Shop) -> None:
    """The one that is gone keeps its points; the other has a run of its own, from its beginning."""
    shop.put()
    shop.measure("Invocations", minutes([1.0] * 100))
    shop.sync_to(30)
    again_ms = shop.created_ms + 110 * MINUTE_MS
    shop.mirror.account.remove_job("endpoint", shop.name)
    Shop(shop.mirror, shop.name, again_ms).put()
    second = minutes([2.0] * 69, created_ms=again_ms)
    shop.measure("Invocations", second)
    shop.sync()
    shop.sync(settle_s=0)
    runs = {run.info.start_time: shop.mirror.series(run) for run in shop.mirror.runs()}
    assert runs[again_ms]["blue/invocations"][:60] == expected(second, again_ms)[:60]
    assert runs[CREATED_MS] == {"blue/invocations": expected(minutes([1.0] * 100))}
    (former,) = (run for run in shop.mirror.runs() if run.info.start_time == CREATED_MS)
    assert (former.info.end_time, former.data.tags["smwatch.final"]) == (again_ms, "true")


def test_a_name_that_is_used_again_between_two_looks(shop: Shop) -> None:
    """The second look takes nothing that came after: the minute of the change is the new one's."""
    shop.put()
    shop.measure("Invocations", minutes([1.0] * 178))
    shop.sync_to(30)
    shop.mirror.account.remove_job("endpoint", shop.name)
    shop.sync(settle_s=600)
    again_ms = now_ms() - 20_000
    Shop(shop.mirror, shop.name, again_ms).put()
    begin_ms = again_ms - again_ms % MINUTE_MS
    shop.measure("Invocations", [(begin_ms + at * MINUTE_MS, 5.0) for at in range(-1, 9)])
    (run,) = shop.mirror.runs()
    shop.mirror.client.set_terminated(run.info.run_id, "FINISHED", again_ms - 10_000)
    shop.sync(settle_s=0)
    former = shop.mirror.client.get_run(run.info.run_id)
    points = shop.mirror.series(former)["blue/invocations"]
    assert former.data.tags["smwatch.final"] == "true"
    assert points[:178] == expected(minutes([1.0] * 178))
    assert max(at for at, _, _ in points) < begin_ms


def test_an_old_endpoint(shop: Shop) -> None:
    """What is stored is read at its finest period; ``--endpoint-window`` cuts the first reading."""
    shop.created_ms = whole(now_ms(), 3600) - 100 * DAY_MS
    shop.put()
    hours = [(shop.created_ms + at * HOUR_MS, 1.0) for at in range(24 * 99)]
    shop.measure("Invocations", hours)
    shop.sync(endpoint_window="20d", since="200d")
    points = shop.points()["blue/invocations"]
    assert points[0][0] >= now_ms() - 20 * DAY_MS - HOUR_MS
    assert points[-1][0] == hours[-1][0]
    shop.measure("ModelSetupTime", hours)
    shop.sync(since="200d", settle_s=0)
    assert shop.points()["blue/model_setup_time"][0][0] == points[0][0]
    shop.verified(since="200d")
    beside = Shop(shop.mirror.beside(), shop.name, shop.created_ms)
    beside.sync(since="200d")
    assert len(beside.points()["blue/invocations"]) == 24 * 99
    beside.verified(since="200d")


def test_a_watch(shop: Shop) -> None:
    """Between listings of endpoints, one that is as it was costs its share in GetMetricData."""
    shop.put()
    shop.measure("Invocations", minutes([1.0] * 100))
    account = shop.mirror.account
    options = {"kinds": ("endpoint",), "artifacts": "none"}
    first = EngineMirror(shop.mirror.options(**options, settle_s=_settle_s(20)))
    now = datetime.now(tz=timezone.utc)
    first.follow(since=now - timedelta(days=7), sweep=True)
    assert first.open_jobs == 1
    for horizon, sweep in ((30, False), (40, True), (50, False)):
        first._options = shop.mirror.options(**options, settle_s=_settle_s(horizon))
        account.reset_calls()
        report = first.follow(since=now, sweep=sweep)
        calls = {name: count for name, count in account.calls.items() if name != IDENTITY}
        assert calls == {**FOUND, METRICS: 1}
        assert report.points == 10
        assert first.open_jobs == 1


def _settle_s(horizon: int) -> int:
    return (now_ms() - CREATED_MS - horizon * MINUTE_MS) // 1000 - 30


def test_two_endpoints_share_a_request(shop: Shop) -> None:
    """Lists are of all endpoints, a request of all their series; by name they are of one."""
    shop.put()
    account = shop.mirror.account
    account.put_job("endpoint", kinds.endpoint("second", created_ms=CREATED_MS))
    account.put_model(kinds.model("model", created_ms=CREATED_MS))
    shop.sync_to(10)
    shop.sync_to(20)
    assert shop.calls == FOLLOWED
    shop.sync(shop.name)
    assert shop.calls[LIST_METRICS] == 3
    account.remove_job("endpoint", "second")


def test_inference_components(shop: Shop) -> None:
    """Their metrics do not name the endpoint; what is listed of them is read too."""
    shop.put()
    name, account = f"{shop.name}-llm", shop.mirror.account
    config = kinds.endpoint_config("config", created_ms=CREATED_MS)
    account.put_endpoint_config({**config, "ProductionVariants": [{"VariantName": "blue"}]})
    component = kinds.inference_component(
        name, created_ms=CREATED_MS, endpoint_name=shop.name, variant="blue", ModelName="model-blue"
    )
    account.put_job("inference-component", component)
    for metric, namespace in (("Invocations", INVOCATIONS), ("GPUReservation", COMPONENTS)):
        shop.measure(metric, minutes([4.0]), None, namespace, InferenceComponentName=name)
        shop.measure(metric, minutes([5.0]), None, namespace, InferenceComponentName="another")
    shop.sync()
    assert shop.points() == {
        f"component/{name}/invocations": expected(minutes([4.0])),
        f"system/component/{name}/gpu_reservation": expected(minutes([4.0])),
    }


def test_metrics_are_denied(shop: Shop) -> None:
    """The endpoint is mirrored with a warning; allowed again, all is there."""
    shop.put()
    shop.measure("Invocations", minutes([1.0] * 30))
    shop.mirror.account.faults.deny(METRICS)
    assert METRICS in shop.mirror.warnings(shop.sync_to(10))
    assert "smwatch.warning" in shop.tags()
    shop.mirror.account.faults.clear()
    shop.sync_to(20)
    assert "smwatch.warning" not in shop.tags()
    assert shop.points() == {"blue/invocations": expected(minutes([1.0] * 20))}


def test_many_metrics(shop: Shop) -> None:
    """The list is read page by page; all are asked for in as few requests as there can be."""
    shop.put()
    for number in range(510):
        shop.measure(f"Metric{number}", minutes([float(number)]))
    shop.sync()
    assert (shop.calls[LIST_METRICS], shop.calls[METRICS]) == (4, 2)
    (run,) = shop.mirror.runs()
    measured = {key: value for key, value in run.data.metrics.items() if key.startswith("blue/")}
    assert measured == {f"blue/metric_{number}": float(number) for number in range(510)}


def test_many_instances(shop: Shop) -> None:
    """So many of their metrics are mirrored, the same in each pass; the report says what is not."""
    shop.put()
    for number in range(503):
        host = f"{shop.name}/blue/i-{number:04}"
        shop.measure("CPUUtilization", minutes([1.0] * 9), None, INSTANCES, Host=host)
    first = shop.sync_to(3)
    assert f"3 metrics of instances of the endpoint {shop.name}" in shop.mirror.warnings(first)
    assert first.points == 3 * 500 + 1
    assert shop.sync_to(5).points == 2 * 500
    state = [key for key in shop.tags() if key.startswith("smwatch.state")]
    assert len(state) < 60
