"""Finding and describing every kind of job, by the fewest calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from mlflow_smwatch.aws.describing import JobDescriber
from mlflow_smwatch.aws.discovery import Found, JobFilter, NotFound
from mlflow_smwatch.aws.finder import JobFinder
from mlflow_smwatch.aws.metric_series import read_component_series
from mlflow_smwatch.aws.model_packages import find_model_packages
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.aws.trials import ExperimentFacts
from mlflow_smwatch.core.errors import StopError, UnknownJobError
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.demo.account import EmulatedAccount
from tests import kinds
from tests.jobs import DAY_MS, HOUR_MS, arn, final_metrics, job_answer, moment, now_ms

EXECUTION = "abcdefghijkl"
EXECUTION_ARN = kinds.execution_arn(EXECUTION)
COMPONENT = "experiment-trial-component"
DETAILS = {"training-job": "SageMakerTrainingJob", "processing-job": "SageMakerProcessingJob"}
EACH_KIND = {
    "sagemaker:ListPipelines": 1,
    "sagemaker:ListAutoMLJobs": 1,
    "sagemaker:ListHyperParameterTuningJobs": 1,
    "sagemaker:ListProcessingJobs": 1,
    "sagemaker:ListTransformJobs": 1,
    "sagemaker:ListEndpoints": 1,
}
Finds = Iterable[Found | NotFound]


@pytest.fixture
def aws(account: EmulatedAccount) -> Aws:
    assert account.calls == {}
    return connect(None, None, 2)


@pytest.fixture
def begun_ms() -> int:
    """When the jobs began, three hours ago; they take one."""
    return now_ms() - 3 * HOUR_MS


def week() -> datetime:
    return moment(now_ms() - 7 * DAY_MS)


def put_training(account: EmulatedAccount, *names: str, begun_ms: int, **changes: Any) -> None:
    for name in names:
        answer = job_answer(name, created_ms=begun_ms, ended_ms=begun_ms + HOUR_MS)
        account.put_training_job({**answer, **changes})


def put_component_of(
    account: EmulatedAccount, word: str, name: str, *trials: str, modified_ms: int
) -> None:
    """Put the trial component of a job."""
    source = {"SourceArn": kinds.kind_arn(f"{word}/{name}"), "SourceType": DETAILS[word]}
    account.experiments.put_trial_component(
        {
            "TrialComponentName": f"{name}-aws-{word}",
            "Source": source,
            "CreationTime": moment(modified_ms),
            "LastModifiedTime": moment(modified_ms),
        },
        trials=trials,
    )


def put_trials(account: EmulatedAccount, *names: str, begun_ms: int) -> None:
    """Put trials of one experiment, made one after the other."""
    account.experiments.put_experiment("study", description="Why?", tags={"team": "vision"})
    for number, name in enumerate(names):
        account.experiments.put_trial(name, "study", created=moment(begun_ms + number))


def put_every_kind(account: EmulatedAccount, begun_ms: int) -> None:
    """Put one of each kind, named after it."""
    life: dict[str, Any] = {"created_ms": begun_ms, "ended_ms": begun_ms + HOUR_MS}
    put_training(account, "training", begun_ms=begun_ms)
    put_trials(account, "trial", begun_ms=begun_ms)
    account.experiments.put_trial_component({"TrialComponentName": "component"}, trials=["trial"])
    account.put_job("processing-job", kinds.processing_job("processing", **life))
    account.put_job("transform-job", kinds.transform_job("transform", **life))
    account.put_job("tuning-job", kinds.tuning_job("tuning", **life))
    account.put_job("automl-job", kinds.automl_job("automl", **life))
    account.put_model(kinds.model("model", created_ms=begun_ms))
    account.put_endpoint_config(kinds.endpoint_config("config", created_ms=begun_ms))
    account.put_job("endpoint", kinds.endpoint("endpoint", created_ms=begun_ms))
    step = {"TrainingJob": {"Arn": arn("training")}}
    steps = [kinds.pipeline_step("train", started_ms=begun_ms, metadata=step)]
    parameters = [{"Name": "epochs", "Value": "3"}]
    execution = kinds.pipeline_execution(EXECUTION, **life, PipelineParameters=parameters)
    account.put_job("pipeline-execution", execution, steps=steps)


def modified(finder: JobFinder, **wanted: Any) -> list[Found | NotFound]:
    """Give all that a window of a week finds."""
    pages = finder.modified(JobFilter(**{"since": week(), **wanted}))
    return [each for page in pages for each in page]


def shown(finds: Finds) -> list[tuple[str, str]]:
    """Give kind and name of what was found."""
    return [(each.kind, each.name) for each in finds if isinstance(each, Found)]


def only(finds: Finds) -> Found:
    (found,) = finds
    assert isinstance(found, Found), found
    return found


EVERY_KIND = [
    ("pipeline-execution", EXECUTION),
    ("automl-job", "automl"),
    ("tuning-job", "tuning"),
    ("trial", "trial"),
    ("trial-component", "component"),
    ("training-job", "training"),
    ("processing-job", "processing"),
    ("transform-job", "transform"),
    ("endpoint", "endpoint"),
]


def test_an_empty_account_takes_nine_calls(account: EmulatedAccount, aws: Aws) -> None:
    """One for each kind, and one that tells that there are no trials."""
    assert modified(JobFinder(aws)) == []
    assert account.calls == {**EACH_KIND, "sagemaker:Search": 2, "sagemaker:ListTrials": 1}


def test_each_kind_is_found_groups_first(account: EmulatedAccount, aws: Aws, begun_ms: int) -> None:
    """Whole jobs where the listing has them; a trial is looked for without a gate."""
    put_every_kind(account, begun_ms)
    finder = JobFinder(aws)
    found = modified(finder)
    assert shown(found) == EVERY_KIND
    whole = {each.kind for each in found if isinstance(each, Found) and each.job}
    assert whole == {"trial", "trial-component", "training-job"}
    assert account.calls == {**EACH_KIND, "sagemaker:Search": 4}
    assert finder.warnings == []
    assert list(finder.endless or ()) == [kinds.kind_arn("endpoint/endpoint")]


@pytest.mark.parametrize("word", sorted(KINDS))
def test_one_kind_alone(account: EmulatedAccount, aws: Aws, begun_ms: int, word: str) -> None:
    """Nothing is asked about kinds that are not wanted."""
    put_every_kind(account, begun_ms)
    found = modified(JobFinder(aws, frozenset({word})))
    assert shown(found) == [each for each in EVERY_KIND if each[0] == word]
    assert sum(account.calls.values()) <= 2


def test_a_window_and_a_part_of_the_name(account: EmulatedAccount, aws: Aws, begun_ms: int) -> None:
    """Both apply to every kind; an endpoint outside is known nevertheless."""
    put_every_kind(account, begun_ms)
    account.put_job("endpoint", kinds.endpoint("old", created_ms=begun_ms - 30 * DAY_MS))
    account.put_job("tuning-job", kinds.tuning_job("past", created_ms=begun_ms - 30 * DAY_MS))
    finder = JobFinder(aws)
    assert shown(modified(finder)) == EVERY_KIND
    assert len(finder.endless or ()) == 2
    part = [each for each in EVERY_KIND if "tr" in each[1]]
    assert len(part) == 3
    assert shown(modified(JobFinder(aws), name_contains="tr")) == part
    assert shown(modified(JobFinder(aws), name_contains=f"execution-{EXECUTION[:4]}")) == [
        ("pipeline-execution", EXECUTION)
    ]


def test_tags_are_looked_for_where_the_listing_lacks_them(
    account: EmulatedAccount, aws: Aws, begun_ms: int
) -> None:
    """Listed jobs are described; one whose tags are denied is refused, any other denial is not."""
    life: dict[str, Any] = {"created_ms": begun_ms, "ended_ms": begun_ms + HOUR_MS}
    team = {"team": "vision"}
    for name, tags in (("eyes", team), ("ears", {})):
        account.put_job("processing-job", kinds.processing_job(f"p-{name}", **life), tags)
        account.put_job("tuning-job", kinds.tuning_job(f"t-{name}", **life), tags)
    account.faults.deny("sagemaker:ListTrainingJobsForHyperParameterTuningJob")
    wanted = (("team", "vision"),)
    found = modified(JobFinder(aws), tags=wanted)
    assert shown(found) == [("tuning-job", "t-eyes"), ("processing-job", "p-eyes")]
    account.faults.deny("sagemaker:ListTags")
    found = modified(JobFinder(aws), tags=wanted)
    assert [isinstance(each, NotFound) for each in found] == [True] * 4
    assert "--tag cannot be applied" in str(found[0].error)  # type: ignore[union-attr]


@pytest.mark.parametrize("through_component", [True, False])
def test_many_training_jobs(
    account: EmulatedAccount, aws: Aws, begun_ms: int, through_component: bool
) -> None:
    """Each comes once, a hundred a call, with its component or without."""
    account.makes_components = through_component
    names = [f"job-{number}" for number in range(300)]
    put_training(account, *names, begun_ms=begun_ms)
    found = modified(JobFinder(aws))
    assert sorted(shown(found)) == sorted(("training-job", name) for name in names)
    known = {each.job.component_known for each in found if isinstance(each, Found) and each.job}
    assert known == {through_component}
    assert account.calls == {**EACH_KIND, "sagemaker:Search": 4, "sagemaker:ListTrials": 1}


def test_training_jobs_with_and_without_components(
    account: EmulatedAccount, aws: Aws, begun_ms: int
) -> None:
    """As long as numbers differ, the search goes on."""
    names = [f"job-{number}" for number in range(150)]
    put_training(account, *names, begun_ms=begun_ms)
    for name in names[:120]:
        put_component_of(account, "training-job", name, modified_ms=begun_ms + HOUR_MS)
    found = modified(JobFinder(aws))
    assert sorted(shown(found)) == sorted(("training-job", name) for name in names)
    assert account.calls["sagemaker:Search"] == 2 + 2


def test_components_in_trials(account: EmulatedAccount, aws: Aws, begun_ms: int) -> None:
    """A thousand of them in ten trials: a call for each hundred, one for the trials."""
    trials = [f"trial-{number}" for number in range(10)]
    put_trials(account, *trials, begun_ms=begun_ms)
    for number in range(1000):
        fields = {"TrialComponentName": f"component-{number}"}
        account.experiments.put_trial_component(fields, trials=[trials[number // 100]])
    found = modified(JobFinder(aws))
    assert Counter(kind for kind, _ in shown(found)) == {"trial": 10, "trial-component": 1000}
    assert account.calls == {**EACH_KIND, "sagemaker:Search": 10 + 1 + 1}


def test_a_processing_job_that_came_with_its_component(
    account: EmulatedAccount, aws: Aws, begun_ms: int
) -> None:
    """It is not given again as the list has it, and needs no description."""
    ended_ms = begun_ms + HOUR_MS
    answer = kinds.processing_job("job", created_ms=begun_ms, ended_ms=ended_ms)
    account.put_job("processing-job", answer)
    put_component_of(account, "processing-job", "job", modified_ms=ended_ms)
    found = only(modified(JobFinder(aws)))
    assert found.job
    assert found.job.kinship.component == "job-aws-processing-job"
    assert account.calls["sagemaker:DescribeProcessingJob"] == 0


def test_trials_of_a_component_in_their_order(
    account: EmulatedAccount, aws: Aws, begun_ms: int
) -> None:
    """By creation, then name; trials outside the window are looked up together."""
    old_ms = begun_ms - 30 * DAY_MS
    put_trials(account, "c", "a", "b", begun_ms=old_ms)
    put_training(account, "job", begun_ms=begun_ms)
    put_component_of(account, "training-job", "job", "b", "a", "c", modified_ms=begun_ms)
    found = only(modified(JobFinder(aws)))
    assert found.job
    assert found.job.kinship.trials == ("c", "a", "b")
    assert found.job.kinship.experiment == "study"
    assert account.calls["sagemaker:Search"] == 4
    account.reset_calls()
    found = only(JobFinder(aws).named((arn("job"),)))
    assert found.job
    assert found.job.kinship.trials == ("c", "a", "b")
    assert account.calls == {"sagemaker:Search": 3}


LISTS = {
    "sagemaker:ListPipelines": "pipeline executions",
    "sagemaker:ListAutoMLJobs": "AutoML jobs",
    "sagemaker:ListHyperParameterTuningJobs": "tuning jobs",
    "sagemaker:ListProcessingJobs": "processing jobs",
    "sagemaker:ListTransformJobs": "transform jobs",
    "sagemaker:ListEndpoints": "endpoints",
    "sagemaker:ListTrainingJobs": "training jobs",
    "sagemaker:ListTrialComponents": "trial components",
    "sagemaker:ListTrials": "trials",
}


@pytest.mark.parametrize("denied", sorted(LISTS))
def test_a_kind_that_is_denied_costs_that_kind(
    account: EmulatedAccount, aws: Aws, begun_ms: int, denied: str
) -> None:
    """A warning names the permission; where Search does without it, nothing is missing."""
    put_every_kind(account, begun_ms)
    account.faults.deny(denied)
    finder = JobFinder(aws)
    found = modified(finder)
    by_search = {"pipeline", "trial", "trial component", "training job"}
    if any(LISTS[denied].startswith(each) for each in by_search):
        assert shown(found) == EVERY_KIND
        assert finder.warnings == []
        account.faults.deny("sagemaker:Search")
        finder = JobFinder(aws)
        found = modified(finder)
        assert "sagemaker:Search is denied" in finder.warnings[0]
    assert len(found) == len(EVERY_KIND) - 1
    assert denied in finder.warnings[-1]
    assert finder.warnings[-1].endswith(f"; {LISTS[denied]} are left out")


def test_nothing_can_be_listed(account: EmulatedAccount, aws: Aws, begun_ms: int) -> None:
    """Only then is it the end; the message names each permission."""
    put_every_kind(account, begun_ms)
    for denied in ("sagemaker:Search", *LISTS):
        account.faults.deny(denied)
    with pytest.raises(StopError) as raised:
        modified(JobFinder(aws))
    assert all(denied in str(raised.value) for denied in ("sagemaker:Search", *LISTS))


def test_without_search(account: EmulatedAccount, aws: Aws, begun_ms: int) -> None:
    """All kinds are found; what a job's component tells is asked for with its description."""
    put_every_kind(account, begun_ms)
    put_component_of(account, "training-job", "training", "trial", modified_ms=begun_ms)
    account.faults.deny("sagemaker:Search")
    finder = JobFinder(aws)
    assert shown(modified(finder)) == EVERY_KIND
    assert len(finder.warnings) == 1
    assert account.calls["sagemaker:Search"] == 1
    account.reset_calls()
    described = finder.describer.describe("training-job", "training")
    assert described.job.kinship.trials == ("trial",)
    assert described.job.kinship.experiment == "study"
    assert described.job.component_known
    asked = ("ListTags", "ListTrials", "DescribeTrial", "DescribeTrainingJob")
    assert account.calls == {f"sagemaker:{each}": 1 for each in asked}
    found = finder.describer.describe("trial-component", "component")
    assert found.job.kinship.trials == ("trial",)
    assert found.denied == ()


def test_a_bare_name_stands_for_jobs_of_all_kinds(
    account: EmulatedAccount, aws: Aws, begun_ms: int
) -> None:
    """Every kind that has it is found; none of them is asked for twice."""
    life: dict[str, Any] = {"created_ms": begun_ms, "ended_ms": begun_ms + HOUR_MS}
    put_training(account, "same", begun_ms=begun_ms)
    put_trials(account, "same", begun_ms=begun_ms)
    account.put_job("transform-job", kinds.transform_job("same", **life))
    account.put_job("endpoint", kinds.endpoint("same", created_ms=begun_ms, config="none"))
    execution = kinds.pipeline_execution(EXECUTION, **life, PipelineExecutionDisplayName="same")
    account.put_job("pipeline-execution", execution)
    finder = JobFinder(aws)
    found = list(finder.named(("same", "nope", "x" * 121, "same")))
    expected = ("training-job", "transform-job", "endpoint", "trial", "pipeline-execution")
    assert [(each.kind) for each in found[:5] if isinstance(each, Found)] == list(expected)
    unknown, too_long = found[5:]
    assert isinstance(unknown, NotFound)
    assert "no job 'nope'" in str(unknown.error)
    assert isinstance(unknown.error, UnknownJobError)
    assert isinstance(too_long, NotFound)
    assert "120 at most" in str(too_long.error)
    described = {
        action: calls
        for action, calls in account.calls.items()
        if action.partition(":Describe")[2].endswith(("Job", "JobV2", "Endpoint"))
    }
    assert described["sagemaker:DescribeTrainingJob"] == 1
    assert {calls for action, calls in described.items() if "Training" not in action} == {2}
    assert finder.warnings == []


def test_a_name_that_may_not_be_asked_of_each_kind(
    account: EmulatedAccount, aws: Aws, begun_ms: int
) -> None:
    """What is found is given with a warning; where nothing is, the denial is the answer."""
    put_training(account, "job", begun_ms=begun_ms)
    account.faults.deny("sagemaker:DescribeTransformJob")
    finder = JobFinder(aws)
    job, other = finder.named(("job", "other"))
    assert isinstance(job, Found)
    assert isinstance(other, NotFound)
    assert "sagemaker:DescribeTransformJob is denied" in str(other.error)
    (warning,) = finder.warnings
    assert "sagemaker:DescribeTransformJob" in warning


@pytest.mark.parametrize("denied", [(), ("sagemaker:Search",)], ids=["search", "describe"])
def test_each_kind_by_its_arn(
    account: EmulatedAccount, aws: Aws, begun_ms: int, denied: tuple[str, ...]
) -> None:
    """An ARN stands for its own kind, wanted or not; in another account there is none."""
    put_every_kind(account, begun_ms)
    for operation in denied:
        account.faults.deny(operation)
    arns = [
        EXECUTION_ARN if word == "pipeline-execution" else f"{KINDS[word].resource_type}/{name}"
        for word, name in EVERY_KIND
    ]
    asked = [each if each == EXECUTION_ARN else kinds.kind_arn(each) for each in arns]
    found = list(JobFinder(aws, frozenset({"endpoint"})).named(asked))
    assert shown(found) == EVERY_KIND
    assert all(isinstance(each, Found) and each.job for each in found)
    foreign = [each.replace("123456789012", "999999999999") for each in asked]
    missed = list(JobFinder(aws).named(foreign))
    assert all(isinstance(each, NotFound) for each in missed)


def test_the_arn_of_a_jobs_component_gives_the_job(
    account: EmulatedAccount, aws: Aws, begun_ms: int
) -> None:
    """By Search or without it; so does the component's name."""
    put_training(account, "job", begun_ms=begun_ms)
    put_trials(account, "trial", begun_ms=begun_ms)
    put_component_of(account, "training-job", "job", "trial", modified_ms=begun_ms)
    name = "job-aws-training-job"
    for text in (kinds.kind_arn(f"{COMPONENT}/{name}"), name):
        found = only(JobFinder(aws).named((text,)))
        assert found.job
        assert (found.arn, found.job.kinship.trial) == (arn("job"), "trial")
    account.faults.deny("sagemaker:Search")
    found = only(JobFinder(aws).named((kinds.kind_arn(f"{COMPONENT}/{name}"),)))
    assert found.job
    assert (found.arn, found.job.kinship.trial) == (arn("job"), "trial")


FOREIGN = "arn:aws:sagemaker:us-east-1:999999999999:training-job/other"


def put_jobless(account: EmulatedAccount, begun_ms: int) -> None:
    """Put a trial with the components of a foreign job, a deleted one and one that is there."""
    put_trials(account, "trial", begun_ms=begun_ms)
    put_training(account, "there", begun_ms=begun_ms)
    sources = {"foreign": FOREIGN, "deleted": arn("gone"), "kept": arn("there")}
    for name, source in sources.items():
        account.experiments.put_trial_component(
            {
                "TrialComponentName": name,
                "Source": {"SourceArn": source, "SourceType": DETAILS["training-job"]},
                "Parameters": {"lr": {"NumberValue": 0.5}},
            },
            trials=["trial"],
        )


JOBLESS = [
    ("training-job", "there"),
    ("trial-component", "deleted"),
    ("trial-component", "foreign"),
]


@pytest.mark.parametrize("denied", [(), ("sagemaker:Search",)], ids=["search", "describe"])
def test_components_without_their_job(
    account: EmulatedAccount, aws: Aws, begun_ms: int, denied: tuple[str, ...]
) -> None:
    """They stand for themselves, each with a warning; only a job that may lag is asked for."""
    put_jobless(account, begun_ms)
    for operation in denied:
        account.faults.deny(operation)
    finder = JobFinder(aws)
    found = modified(finder)
    assert sorted(each for each in shown(found) if each[0] != "trial") == JOBLESS
    assert account.calls["sagemaker:DescribeTrainingJob"] == 1
    assert sorted(shown(finder.members(["trial"]))) == JOBLESS
    assert account.calls["sagemaker:DescribeTrainingJob"] == 1 + len(denied)
    warned = [each for each in finder.warnings if "mirrored as a trial component" in each]
    assert len(warned) == 2
    assert any(f"{FOREIGN} is of another account or Region" in each for each in warned)
    assert any(f"{arn('gone')} is not known to AWS" in each for each in warned)
    for name in ("foreign", "deleted"):
        for text in (name, kinds.kind_arn(f"{COMPONENT}/{name}")):
            one = only(JobFinder(aws).named((text,)))
            assert one.job
            assert (one.kind, one.job.params) == ("trial-component", (("lr", "0.5"),))
            assert one.job.kinship.trials == ("trial",)


def test_a_job_that_search_does_not_tell_yet(
    account: EmulatedAccount, aws: Aws, begun_ms: int
) -> None:
    """A component whose job Search lacks gives the job where Describe knows it."""
    put_jobless(account, begun_ms)
    finder = JobFinder(aws)
    component = {
        "TrialComponentName": "kept",
        "TrialComponentArn": kinds.kind_arn(f"{COMPONENT}/kept"),
        "Source": {"SourceArn": arn("there")},
    }
    job = finder.describer.job_of(component)
    assert job
    assert (job.arn, job.content["TrialComponent"]["TrialComponentName"]) == (arn("there"), "kept")
    assert finder.warnings == []


def unread(finder: JobFinder, *, by_name: bool) -> list[str]:
    """Give what could not be read of the components of jobs that are found, then described."""
    names = {arn("training"): "training", kinds.kind_arn("processing-job/processing"): "processing"}
    found = list(finder.changed(names)) if by_name else modified(finder)
    texts: list[str] = []
    for each in found:
        if isinstance(each, Found) and (each.kind in DETAILS or each.kind == "trial-component"):
            whole = each.denied if each.job else finder.describer.describe(each.kind, each.name)
            texts += whole if isinstance(whole, tuple) else whole.denied
    return texts


@pytest.mark.parametrize("by_name", [True, False])
def test_components_that_cannot_be_read(
    account: EmulatedAccount, aws: Aws, begun_ms: int, by_name: bool
) -> None:
    """Jobs stay open as long as that may change: not where another way serves, or none exists."""
    put_every_kind(account, begun_ms)
    put_component_of(account, "training-job", "training", "trial", modified_ms=begun_ms)
    lists = "sagemaker:ListTrialComponents"
    assert unread(JobFinder(aws), by_name=by_name) == []
    account.faults.deny("sagemaker:Search")
    assert unread(JobFinder(aws), by_name=by_name) == []
    account.faults.deny(lists)
    texts = unread(JobFinder(aws), by_name=by_name)
    assert len(texts) == 2
    assert all(
        each.startswith(f"its trial component could not be read: {lists} is denied")
        for each in texts
    )
    account.faults.allow(lists)
    account.faults.fail(lists, times=None, code="UnknownOperationException", status=501)
    assert unread(JobFinder(aws), by_name=by_name) == []
    account.faults.clear()
    for operation in ("sagemaker:Search", "sagemaker:ListTrials"):
        account.faults.deny(operation)
    texts = unread(JobFinder(aws), by_name=by_name)
    assert len(texts) == (1 if by_name else 2)
    assert all("could not be read: sagemaker:ListTrials is denied" in each for each in texts)


def test_a_job_and_its_component_of_one_name(
    account: EmulatedAccount, aws: Aws, begun_ms: int
) -> None:
    """They are one job."""
    put_training(account, "job", begun_ms=begun_ms)
    source = {"SourceArn": arn("job"), "SourceType": DETAILS["training-job"]}
    account.experiments.put_trial_component({"TrialComponentName": "job", "Source": source})
    assert shown(JobFinder(aws).named(("job",))) == [("training-job", "job")]


@pytest.mark.parametrize("refused", [None, "sagemaker:Search"])
def test_jobs_that_changed_just_now(
    account: EmulatedAccount, aws: Aws, begun_ms: int, refused: str | None
) -> None:
    """Each is described, and their components are looked up together."""
    life: dict[str, Any] = {"created_ms": begun_ms, "ended_ms": begun_ms + HOUR_MS}
    put_trials(account, "trial", begun_ms=begun_ms)
    put_training(account, "job", begun_ms=begun_ms)
    account.put_job("processing-job", kinds.processing_job("job", **life))
    for word in DETAILS:
        put_component_of(account, word, "job", "trial", modified_ms=begun_ms)
    if refused:
        account.faults.deny(refused)
    names = {arn("job"): "job", kinds.kind_arn("processing-job/job"): "job"}
    found = list(JobFinder(aws).changed({**names, EXECUTION_ARN: EXECUTION}))
    assert shown(found) == [("training-job", "job"), ("processing-job", "job")]
    assert [each.job.kinship.trial for each in found[:2] if isinstance(each, Found) and each.job]
    missing = found[2]
    assert isinstance(missing, NotFound)
    assert missing.asked == EXECUTION_ARN
    if not refused:
        assert account.calls["sagemaker:Search"] == 2


@pytest.mark.parametrize("denied", [(), ("sagemaker:Search",)], ids=["search", "describe"])
def test_groups_members_and_experiments(
    account: EmulatedAccount, aws: Aws, begun_ms: int, denied: tuple[str, ...]
) -> None:
    """What jobs belong to, and what belongs to a trial, is found by name."""
    put_every_kind(account, begun_ms)
    put_component_of(account, "training-job", "training", "trial", modified_ms=begun_ms)
    for operation in denied:
        account.faults.deny(operation)
    finder = JobFinder(aws)
    refs = [("trial", "trial"), ("tuning-job", "tuning"), ("trial", "gone")]
    found = list(finder.groups([*refs, ("pipeline-execution", EXECUTION_ARN)]))
    assert sorted(shown(found)) == sorted(
        [("pipeline-execution", EXECUTION), ("trial", "trial"), ("tuning-job", "tuning")]
    )
    (missing,) = [each for each in found if isinstance(each, NotFound)]
    assert missing.asked == "gone"
    assert isinstance(missing.error, UnknownJobError)
    members = sorted(shown(finder.members(["trial"])))
    assert members == [("training-job", "training"), ("trial-component", "component")]
    facts = ExperimentFacts(
        arn=kinds.kind_arn("experiment/study"), description="Why?", tags=(("team", "vision"),)
    )
    assert finder.experiments(["study", "none"]) == {"study": facts}


def test_denied_experiments(account: EmulatedAccount, aws: Aws, begun_ms: int) -> None:
    """Nothing is known of them, and the warning names the permission."""
    put_trials(account, "trial", begun_ms=begun_ms)
    for operation in ("sagemaker:Search", "sagemaker:DescribeExperiment"):
        account.faults.deny(operation)
    finder = JobFinder(aws)
    assert finder.experiments(["study"]) == {}
    assert "sagemaker:DescribeExperiment is denied" in finder.warnings[-1]


EXTRAS = {
    "training-job": ("DescribeTrainingJob", ()),
    "processing-job": ("DescribeProcessingJob", ()),
    "transform-job": ("DescribeTransformJob", ("DescribeModel",)),
    "tuning-job": (
        "DescribeHyperParameterTuningJob",
        ("ListTrainingJobsForHyperParameterTuningJob",),
    ),
    "automl-job": ("DescribeAutoMLJobV2", ("ListCandidatesForAutoMLJob",)),
    "endpoint": ("DescribeEndpoint", ("DescribeEndpointConfig", "DescribeModel")),
    "trial": ("DescribeTrial", ()),
    "trial-component": ("DescribeTrialComponent", ("ListTrials", "DescribeTrial")),
    "pipeline-execution": ("DescribePipelineExecution", ("ListPipelineExecutionSteps",)),
}


@pytest.mark.parametrize("word", sorted(EXTRAS))
def test_a_description_is_whole(
    account: EmulatedAccount, aws: Aws, begun_ms: int, word: str
) -> None:
    """Each kind has its further operations; each of them denied is a part that is missing."""
    put_every_kind(account, begun_ms)
    name = EXECUTION_ARN if word == "pipeline-execution" else dict(EVERY_KIND)[word]
    main, further = EXTRAS[word]
    described = JobDescriber(aws).describe(word, name)
    assert described.denied == ()
    assert described.job.kind.word == word
    expected = {f"sagemaker:{each}" for each in (main, *further, "ListTags")}
    assert set(account.calls) - {"sagemaker:ListPipelineParametersForExecution"} == expected
    for each in (*(each for each in further if each != "DescribeTrial"), "ListTags"):
        account.faults.deny(f"sagemaker:{each}")
        (part,) = JobDescriber(aws).describe(word, name).denied
        assert f"sagemaker:{each} is denied" in part
        account.faults.clear()
    with pytest.raises(UnknownJobError):
        JobDescriber(aws).describe(word, name.replace(name[-4:], "none"))


def test_an_execution_that_was_found_is_not_described_again(
    account: EmulatedAccount, aws: Aws, begun_ms: int
) -> None:
    """Its parameters are in the record of Search; its steps and tags are asked for."""
    put_every_kind(account, begun_ms)
    account.put_pipeline(kinds.pipeline("pipe", created_ms=begun_ms), {"team": "vision"})
    finder = JobFinder(aws, frozenset({"pipeline-execution"}))
    only(modified(finder))
    account.reset_calls()
    job = finder.describer.describe("pipeline-execution", EXECUTION_ARN).job
    assert job.children == (arn("training"),)
    assert job.params == (("epochs", "3"),)
    assert job.tags == (("team", "vision"),)
    assert account.calls == {"sagemaker:ListPipelineExecutionSteps": 1, "sagemaker:ListTags": 1}
    account.faults.deny("sagemaker:Search")
    finder = JobFinder(aws, frozenset({"pipeline-execution"}))
    only(modified(finder))
    assert account.calls["sagemaker:DescribePipelineExecution"] == 1
    listed = finder.describer.describe("pipeline-execution", EXECUTION_ARN).job
    assert account.calls["sagemaker:DescribePipelineExecution"] == 1
    assert (listed.children, listed.tags) == (job.children, job.tags)


def test_the_objective_of_a_tuning_job(account: EmulatedAccount, aws: Aws, begun_ms: int) -> None:
    """Children get it where their log did not tell; one list serves them all."""
    ended_ms = begun_ms + HOUR_MS
    life: dict[str, Any] = {"created_ms": begun_ms, "ended_ms": ended_ms}
    account.put_job("tuning-job", kinds.tuning_job("tuning", **life, objective="auc"))
    group = {"TuningJobArn": kinds.kind_arn("hyper-parameter-tuning-job/tuning")}
    children = [f"child-{number}" for number in range(120)]
    values = final_metrics({"auc": 0.5}, ended_ms)
    put_training(account, *children, begun_ms=begun_ms, FinalMetricDataList=values, **group)
    describer = JobDescriber(aws)
    jobs = [describer.describe("training-job", name).job for name in children[:3]]
    account.reset_calls()
    for job in jobs:
        completed = describer.complete(replace(job, final_metrics=()))
        assert completed.denied == ()
        (final,) = completed.job.final_metrics
        assert (final.name, final.value, final.timestamp_ms) == ("auc", 0.5, ended_ms)
    assert account.calls == {"sagemaker:ListTrainingJobsForHyperParameterTuningJob": 2}
    objective = (("_tuning_objective_metric", '"auc"'),)
    told = replace(jobs[0], hyperparameters=objective)
    account.reset_calls()
    assert JobDescriber(aws).complete(told).job == told
    assert account.calls == {}
    account.faults.deny("sagemaker:ListTrainingJobsForHyperParameterTuningJob")
    (part,) = JobDescriber(aws).complete(jobs[0]).denied
    assert part.startswith("no tuning objective: ")


def test_the_candidate_of_an_automl_job(account: EmulatedAccount, aws: Aws, begun_ms: int) -> None:
    """Its training job gets the candidate's name and objective."""
    ended_ms = begun_ms + HOUR_MS
    life: dict[str, Any] = {"created_ms": begun_ms, "ended_ms": ended_ms}
    steps = {arn("step"): "AWS::SageMaker::TrainingJob"}
    candidates = [
        kinds.candidate("first", **life, value=0.25),
        kinds.candidate("second", **life, value=0.75, steps=steps),
    ]
    account.put_job("automl-job", kinds.automl_job("automl", **life), candidates=candidates)
    put_training(
        account, "step", begun_ms=begun_ms, AutoMLJobArn=kinds.kind_arn("automl-job/automl")
    )
    describer = JobDescriber(aws)
    job = describer.describe("training-job", "step").job
    completed = describer.complete(job).job
    assert completed.kinship.candidate == "second"
    assert [(each.name, each.value) for each in completed.final_metrics] == [("F1", 0.75)]


def test_the_model_of_transform_jobs(account: EmulatedAccount, aws: Aws, begun_ms: int) -> None:
    """A job that came without its model gets it, as if it had been described; one call for all."""
    life: dict[str, Any] = {"created_ms": begun_ms, "ended_ms": begun_ms + HOUR_MS}
    account.put_model(kinds.model("model", created_ms=begun_ms))
    for name in ("one", "two"):
        account.put_job("transform-job", kinds.transform_job(name, **life))
    whole = JobDescriber(aws).describe("transform-job", "one").job
    account.faults.deny("sagemaker:DescribeModel")
    bare = [JobDescriber(aws).describe("transform-job", name).job for name in ("one", "two")]
    assert bare[0] != whole
    (part,) = JobDescriber(aws).complete(bare[0]).denied
    assert part.startswith("no model: ")
    account.faults.clear()
    account.reset_calls()
    describer = JobDescriber(aws)
    assert [describer.complete(job).job.image for job in bare] == [whole.image] * 2
    assert describer.complete(bare[0]).job == whole
    assert account.calls == {"sagemaker:DescribeModel": 1}


def test_series_of_a_component(account: EmulatedAccount, aws: Aws, begun_ms: int) -> None:
    """Whole series, however few points a query gives; a summary's timestamp stands in."""
    account.experiments.put_trial_component({"TrialComponentName": "component"})
    points = [(step, begun_ms + step * 1000, step / 8) for step in range(50)]
    account.lineage.put_metric_series("component", "loss", points)
    account.lineage.put_metric_series("component", "auc", points[:1])
    where = kinds.kind_arn(f"{COMPONENT}/component")
    whole = read_component_series(aws, {where: {"loss": 7, "auc": 8, "none": 9}})
    assert whole.denied is None
    assert set(whole.series[where]) == {"loss", "auc"}
    loss = whole.series[where]["loss"]
    told = [(step, value) for step, _, value in points]
    assert [(step, value) for step, _, value in loss] == told
    assert len(whole.series[where]["auc"]) == 1
    assert account.calls == {"sagemaker-metrics:BatchGetMetrics": 1}
    account.lineage.series.points_per_query = 7
    assert read_component_series(aws, {where: {"loss": 7}}).series[where] == {"loss": loss}
    account.faults.deny("sagemaker-metrics:BatchGetMetrics")
    denied = read_component_series(aws, {where: {"loss": 7}})
    assert denied.series == {}
    assert "sagemaker:BatchGetMetrics is denied" in str(denied.denied)


def test_model_packages(account: EmulatedAccount, aws: Aws, begun_ms: int) -> None:
    """By a window or by ARN, the same."""
    account.lineage.put_model_package_group("group")
    container = {"Image": kinds.IMAGE, "ModelDataUrl": "s3://models/out/model.tar.gz"}
    where = account.lineage.put_model_package(
        {
            "ModelPackageGroupName": "group",
            "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": "Approved",
            "InferenceSpecification": {"Containers": [container]},
            "CreationTime": moment(begun_ms),
        }
    )
    (found,) = find_model_packages(aws, week())
    assert (found.arn, found.group, found.version) == (where, "group", 1)
    assert (found.status, found.approval) == ("Completed", "Approved")
    assert (found.model_data, found.image) == (container["ModelDataUrl"], kinds.IMAGE)
    assert found.created_ms == begun_ms
    assert list(find_model_packages(aws, asked=(where,))) == [found]
    assert list(find_model_packages(aws, moment(now_ms() + HOUR_MS))) == []
