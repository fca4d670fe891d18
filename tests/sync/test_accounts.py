"""Several accounts and Regions in one pass: kept apart, joined in one report."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import mlflow_smwatch
from mlflow_smwatch import CredentialsError, StopError, UsageError
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_contents import AccountContents
from mlflow_smwatch.engine.following import Listener
from mlflow_smwatch.engine.targets import Mirrors
from mlflow_smwatch.options import each_place
from mlflow_smwatch.report import NOT_REACHED, SyncReport, WatchReport
from mlflow_smwatch.watch import watch
from tests.jobs import (
    ACCOUNT,
    HOUR_MS,
    NAMESPACE,
    REGION,
    Points,
    arn,
    averages,
    curve,
    job_answer,
    now_ms,
    whole,
)
from tests.sync.conftest import SEARCH, Mirror

OTHER, EUROPE = "222222222222", "eu-west-1"
ROLES = tuple(f"arn:aws:iam::{number}:role/team/reader" for number in (ACCOUNT, OTHER))
REGIONS = (REGION, EUROPE)
PLACES = [(account, region) for account in (ACCOUNT, OTHER) for region in REGIONS]
ASSUME = "sts:AssumeRole"
CREATED_MS = whole(now_ms()) - 3 * HOUR_MS
DENIAL = {"code": "AccessDenied", "status": 403}


def put(contents: AccountContents, first: float, name: str = "job") -> Points:
    """Put a job with a curve of its own; give the points that its run is to have."""
    ended_ms = CREATED_MS + HOUR_MS
    contents.put_training_job(job_answer(name, created_ms=CREATED_MS, ended_ms=ended_ms))
    samples = curve(CREATED_MS + 60_000, 3, first)
    contents.put_metric(NAMESPACE, "loss", {"TrainingJobName": name}, samples)
    return averages(samples, CREATED_MS)


@pytest.fixture
def filled(account: EmulatedAccount) -> dict[str, Points]:
    """Put a job of the same name into each of four places; give their points by ARN."""
    return {
        arn("job", region, number): put(account.elsewhere(region, number), place)
        for place, (number, region) in enumerate(PLACES)
    }


def everywhere(mirror: Mirror, *names: str, **options: Any) -> SyncReport:
    """Mirror all four places."""
    chosen = {"assume_role": ROLES, "region": REGIONS, "metrics": "cloudwatch", **options}
    return mirror.sync(*names, **chosen)


def losses(mirror: Mirror) -> dict[str, Points]:
    """Give the loss of each run, by the ARN of its job."""
    return {
        run.data.tags["sagemaker.arn"]: mirror.points(run).get("loss", []) for run in mirror.runs()
    }


def test_one_run_for_each_arn(mirror: Mirror, filled: dict[str, Points]) -> None:
    """Jobs of one name in two accounts and two Regions are four runs; the report is one."""
    report = everywhere(mirror)
    assert report.failed == []
    assert report.jobs == {"seen": 4, "created": 4, "updated": 0, "unchanged": 0, "failed": 0}
    assert report.points == sum(line.points for line in report.runs)
    assert report.aws_calls == mirror.account.calls
    assert report.aws_calls[ASSUME] == len(PLACES)
    assert report.estimated_cost_usd == pytest.approx(4 * 6 * 0.01 / 1000)
    assert [line.arn for line in report.runs] == list(filled)
    assert losses(mirror) == filled
    told = {
        (run.data.tags["sagemaker.account"], run.data.tags["sagemaker.region"])
        for run in mirror.runs()
    }
    assert told == set(PLACES)


def test_again_writes_nothing(mirror: Mirror, filled: dict[str, Points]) -> None:
    """The runs of one place are not taken for those of another, nor looked at there."""
    everywhere(mirror)
    before = mirror.dump()
    report = everywhere(mirror)
    assert report.counts == Counter(unchanged=len(filled))
    assert mirror.dump() == before
    assert mirror.account.calls[SEARCH] == 2 * len(PLACES)


def test_regions_of_the_callers_own_account(mirror: Mirror, filled: dict[str, Points]) -> None:
    """No role is assumed; a Region that is given twice is read once."""
    report = mirror.sync(region=[*REGIONS, REGION])
    assert {line.arn for line in report.runs} == {each for each in filled if ACCOUNT in each}
    assert ASSUME not in mirror.account.calls


def test_numbers_of_all_while_it_goes_on(mirror: Mirror, filled: dict[str, Points]) -> None:
    """Whoever listens hears of the jobs of all places."""
    heard: list[int] = []
    options = mirror.options(metrics="off")
    kept = {"kinds": options.kinds, "tracking_uri": options.tracking_uri, "metrics": "off"}
    mirrors = Mirrors(each_place(region=REGIONS, assume_role=ROLES, **kept))
    mirrors.sync(lambda so_far: heard.append(so_far.jobs["seen"]))
    assert heard == sorted(heard)
    assert heard[-1] == len(filled)


def test_a_forecast(mirror: Mirror, filled: dict[str, Points]) -> None:
    """A dry run says what all would cost, and is right."""
    before = mirror.dump()
    forecast = everywhere(mirror, dry_run=True)
    assert forecast.to_dict()["dry_run"] is True
    assert mirror.dump() == before
    done = everywhere(mirror)
    assert (forecast.aws_calls, forecast.jobs) == (done.aws_calls, done.jobs)
    assert forecast.estimated_cost_usd == pytest.approx(done.estimated_cost_usd)
    assert len(forecast.runs) == len(filled)


def test_verify(mirror: Mirror, filled: dict[str, Points]) -> None:
    """Both sides of all places are compared; a role that is denied is no equal job."""
    everywhere(mirror)
    chosen: dict[str, Any] = {
        "tracking_uri": mirror.uri,
        "kinds": ("training-job",),
        "region": REGIONS,
    }
    equal = mlflow_smwatch.verify(assume_role=ROLES, **chosen)
    assert (equal.jobs, equal.equal, equal.failed) == (len(filled), len(filled), [])
    mirror.account.faults.fail(ASSUME, times=len(REGIONS), **DENIAL)  # type: ignore[arg-type]
    half = mlflow_smwatch.verify(assume_role=ROLES, **chosen)
    assert [each.arn for each in half.failed] == [ROLES[0]]
    assert (half.jobs, half.equal) == (3, 2)


def test_a_role_that_is_denied(mirror: Mirror, filled: dict[str, Points]) -> None:
    """It is one of the failed, told once for all Regions; the other account is mirrored."""
    mirror.account.faults.fail(ASSUME, times=len(REGIONS), **DENIAL)  # type: ignore[arg-type]
    report = everywhere(mirror)
    (failure,) = report.failed
    assert failure.arn == ROLES[0]
    assert "the role cannot be assumed (AccessDenied" in failure.error
    assert "trust policy" in failure.error
    assert {line.arn for line in report.runs} == {each for each in filled if OTHER in each}
    assert report.aws_calls[ASSUME] == mirror.account.calls[ASSUME] == len(PLACES)


def test_a_region_that_fails(mirror: Mirror) -> None:
    """Without a role it is named as such."""
    put(mirror.account, 0)
    report = mirror.sync(region=(REGION, "no region"))
    (failure,) = report.failed
    assert failure.arn == f"{NOT_REACHED} in no region"
    assert "check the Region" in failure.error
    assert report.counts["created"] == 1


def test_all_roles_are_denied(mirror: Mirror) -> None:
    """Then nothing can be done; one role alone is no different."""
    mirror.account.faults.fail(ASSUME, times=None, **DENIAL)  # type: ignore[arg-type]
    for roles in (ROLES, ROLES[0]):
        with pytest.raises(CredentialsError, match="the role cannot be assumed"):
            mirror.sync(assume_role=roles)
    with pytest.raises(StopError, match="the role cannot be assumed"):
        mlflow_smwatch.mirror("job", tracking_uri=mirror.uri, assume_role=ROLES[0])


def test_credentials_of_a_role_renew_themselves(mirror: Mirror, filled: dict[str, Points]) -> None:
    """Before they expire the role is assumed anew, without the pass noticing."""
    mirror.account.session_s = 900  # botocore renews what lasts less than a quarter of an hour
    report = everywhere(mirror)
    assert (report.failed, losses(mirror)) == ([], filled)
    assert report.aws_calls[ASSUME] == mirror.account.calls[ASSUME] > len(PLACES)
    sessions = {
        each.parameters["RoleSessionName"]
        for each in mirror.account.requests
        if each.operation == ASSUME
    }
    assert sessions == {"mlflow-smwatch"}


def test_names(mirror: Mirror, filled: dict[str, Points]) -> None:
    """A name may be anywhere, an ARN is looked for where it lies, what is nowhere has failed."""
    first, *_, last = filled
    put(mirror.account.elsewhere(EUROPE, OTHER), 9, "only")
    report = everywhere(mirror, "only")
    assert (report.failed, [line.name for line in report.runs]) == ([], ["only"])
    assert mirror.account.calls[ASSUME] == len(PLACES)
    report = everywhere(mirror, last)
    assert (report.failed, [line.arn for line in report.runs]) == ([], [last])
    assert mirror.account.calls[ASSUME] == 1
    report = everywhere(mirror, "nope", first, arn("job", "eu-north-1"))
    assert [line.arn for line in report.runs] == [first]
    assert {each.arn for each in report.failed} == {"nope", arn("job", "eu-north-1")}
    assert all(
        each.error.startswith("AWS has no training job 'nope'") or "not in us-east-1" in each.error
        for each in report.failed
    )


@pytest.mark.parametrize(
    "options",
    [
        {"assume_role": "reader"},
        {"assume_role": ["arn:aws:iam::1:role/x"]},
        {"assume_role": "arn:aws:iam::123456789012:user/x"},
        {"assume_role": "arn:aws:sts::123456789012:assumed-role/x/y"},
        {"assume_role": "arn:aws:iam::123456789012:role/x y"},
    ],
)
def test_what_is_no_role(options: dict[str, Any]) -> None:
    """It is refused before anything is asked."""
    with pytest.raises(UsageError, match=r"--assume-role .* give the ARN of a role"):
        mlflow_smwatch.sync(**options)


def test_one_place_for_one_job() -> None:
    """What mirrors a single thing takes a single place."""
    with pytest.raises(UsageError, match="give one --region and one --assume-role"):
        mlflow_smwatch.mirror("job", region=REGIONS)


@pytest.mark.slow
def test_experiments_of_one_name(mirror: Mirror) -> None:
    """They are one in MLflow, and it shows what is said of the first, whatever changes."""
    kinds = ("training-job", "trial", "trial-component")
    there = dict(zip(("first", "second"), PLACES, strict=False))
    contents = {
        word: mirror.account.elsewhere(region, number) for word, (number, region) in there.items()
    }

    def change(word: str, tag: str) -> None:
        contents[word].experiments.put_experiment("study", description=tag, tags={"says": tag})

    def said() -> tuple[str | None, str | None]:
        found = mirror.client.get_experiment_by_name("study")
        assert found is not None
        assert found.tags["sagemaker.arn"].endswith(f"{REGION}:{ACCOUNT}:experiment/study")
        return found.tags.get("sagemaker.tag.says"), found.tags.get("mlflow.note.content")

    for word in there:
        change(word, word)
        contents[word].experiments.put_trial("trial", "study")
    assert everywhere(mirror, kinds=kinds).failed == []
    assert said() == ("first", "first")
    before = mirror.dump()
    everywhere(mirror, kinds=kinds)
    assert mirror.dump() == before
    for word in there:
        change(word, f"{word} again")
    everywhere(mirror, kinds=kinds)
    assert said() == ("first again", "first")
    trials = [run for run in mirror.runs() if run.data.tags["sagemaker.kind"] == "trial"]
    assert len(trials) == len(there)


def watched(
    mirror: Mirror, until: Callable[[list[SyncReport]], bool], queue: str | None = None
) -> tuple[list[SyncReport], WatchReport]:
    """Watch two accounts until the passes so far are enough."""
    stopped, passes = threading.Event(), list[SyncReport]()

    def passed(report: SyncReport) -> None:
        passes.append(report)
        if until(passes):
            stopped.set()

    options = {"tracking_uri": mirror.uri, "kinds": ("training-job",), "metrics": "off"}
    report = watch(
        each_place(**options, assume_role=ROLES),
        interval_s=0.01,
        queue_url=queue,
        stopped=stopped,
        listener=Listener(passed=passed),
    )
    return passes, report


def test_a_watch_visits_all(mirror: Mirror, filled: dict[str, Points]) -> None:
    """What one account missed is listed again there, not elsewhere; a job is followed where it is.

    The jobs are older than what later passes list.
    """
    begun_ms = now_ms() - HOUR_MS
    for number in (ACCOUNT, OTHER):
        going = job_answer("going", created_ms=begun_ms)
        mirror.account.elsewhere(REGION, number).put_training_job(going)
    mirror.account.faults.fail(ASSUME, **DENIAL)  # type: ignore[arg-type]

    passes, report = watched(mirror, lambda passes: len(passes) == 3)
    told = [([each.arn for each in one.failed], one.counts["created"]) for one in passes]
    assert told == [([ROLES[0]], 2), ([], 2), ([], 0)]
    assert [each.jobs["seen"] for each in passes] == [3, 3, 2]
    assert report.failed == []
    assert report.aws_calls == mirror.account.calls
    assert set(losses(mirror)) > {each for each in filled if REGION in each}


def test_a_watch_stops_between_accounts(mirror: Mirror, filled: dict[str, Points]) -> None:
    """The account in hand is finished, the next one is not begun."""
    stopped = threading.Event()
    options = {"tracking_uri": mirror.uri, "kinds": ("training-job",), "metrics": "off"}
    mirrors = Mirrors(each_place(**options, assume_role=ROLES), stopped.is_set)

    def listen(so_far: SyncReport) -> None:
        if so_far.counts["created"]:
            stopped.set()

    report = mirrors.sync(listen)
    assert [line.arn for line in report.runs] == [next(iter(filled))]
    assert mirror.account.calls[ASSUME] == 1


def test_a_queue_is_for_one_account(mirror: Mirror) -> None:
    """It is refused before anything is asked."""
    with pytest.raises(UsageError, match="--queue is for one account and Region"):
        watched(mirror, bool, queue="https://sqs.us-east-1.amazonaws.com/123456789012/smwatch")
    assert not mirror.account.calls
