"""Which run stands for a job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.matching import JobIdentity, KnownRun, match
from mlflow_smwatch.core.watermark import Watermark, to_tags

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/job"
JOB = JobIdentity(
    arn=ARN,
    name="job",
    kind="training-job",
    region="eu-west-1",
    created_ms=1_790_000_000_000,
    life_end_ms=1_790_000_600_000,
)
SCRIPT_TAGS = {
    "sagemaker.arn": ARN,
    "sagemaker.kind": "training-job",
    "sagemaker.name": "job",
    "sagemaker.region": "eu-west-1",
}


def run(run_id: str, tags: dict[str, str], **changes: Any) -> KnownRun:
    """Build a run that started with the job."""
    base: dict[str, Any] = {
        "experiment_id": "1",
        "status": "RUNNING",
        "start_ms": JOB.created_ms,
        "end_ms": None,
        "active": True,
    }
    return KnownRun(run_id=run_id, tags=tags, **{**base, **changes})


def mirrored(run_id: str, made_ms: int = 1, **changes: Any) -> KnownRun:
    """Build a run that the mirror made."""
    tags = {
        **SCRIPT_TAGS,
        "sagemaker.created": iso_utc(JOB.created_ms),
        "smwatch.version": "0.1.0",
        **to_tags(Watermark(made_ms=made_ms)),
        **changes.pop("tags", {}),
    }
    return run(run_id, tags, **changes)


def adopted_tags() -> dict[str, str]:
    """Give the tags of a run that the mirror adopted."""
    noted = to_tags(Watermark(made_ms=1, adopted=True))
    return {**SCRIPT_TAGS, "sagemaker.created": iso_utc(JOB.created_ms), **noted}


def test_no_candidates_no_run() -> None:
    """The mirror makes one."""
    assert match(JOB, []).run is None


@pytest.mark.parametrize(
    ("tags", "is_run"),
    [
        ({"smwatch.forgotten": "2026-11-22T02:00:00.000Z"}, False),
        ({"smwatch.forgotten": "2026-11-22T02:00:00.000Z", "sagemaker.status": "Completed"}, True),
        ({"smwatch.forgotten": "over"}, True),
    ],
    ids=["note", "full", "wanted again"],
)
def test_a_note_is_as_good_as_deleted(tags: dict[str, str], *, is_run: bool) -> None:
    """It is put away, and what it is a note of stays what stands for the job."""
    note, removed = mirrored("note", 2, tags=tags), mirrored("removed", active=False)
    matched = match(JOB, [note, removed])
    assert matched.run == (note if is_run else removed)
    assert matched.notes == (() if is_run else (note,))
    assert match(JOB, [note]).run == note


def test_a_run_of_the_jobs_own_script_takes_the_place_of_the_mirrors() -> None:
    """As long as the mirror's is not final."""
    own, script = mirrored("own"), run("script", SCRIPT_TAGS)
    matched = match(JOB, [script, own])
    assert (matched.run, matched.adopted) == (script, True)
    assert (matched.displaced, matched.duplicates) == ((own,), ())


def test_a_final_run_is_never_exchanged() -> None:
    """Whoever writes tags cannot displace what is complete, a forged watermark included."""
    own = mirrored("own", tags=to_tags(Watermark(made_ms=1, final=True)))
    script = run("script", SCRIPT_TAGS)
    held = run("held", adopted_tags(), start_ms=JOB.created_ms + 5)
    matched = match(JOB, [script, held, own])
    assert (matched.run, matched.adopted, matched.displaced) == (own, False, ())


def test_an_exchange_that_was_begun_is_ended() -> None:
    """Another mirror, which did not know of it, may have made the run final meanwhile."""
    final = to_tags(Watermark(made_ms=1, final=True))
    script = run("script", SCRIPT_TAGS)
    own = mirrored("own", tags={**final, "smwatch.duplicate_of": "script"})
    assert match(JOB, [script, own]).displaced == (own,)
    elsewhere = mirrored("own", tags={**final, "smwatch.duplicate_of": "another"})
    assert match(JOB, [script, elsewhere]).run == elsewhere


def test_a_run_that_was_adopted_stays_so() -> None:
    """An earlier one, a parent that the user gave it or an edited name do not change that."""
    earlier = run("earlier", SCRIPT_TAGS)
    nested = {**adopted_tags(), "mlflow.parentRunId": "p", "sagemaker.name": "edited"}
    held = run("held", nested, start_ms=JOB.created_ms + 5)
    assert match(JOB, [earlier, held]).run == held


@pytest.mark.parametrize(
    "changes", [{"sagemaker.arn": ARN[:-3] + "JOB"}, {"sagemaker.name": "JOB"}], ids=["arn", "name"]
)
def test_the_case_of_a_name_does_not_matter(changes: dict[str, str]) -> None:
    """An ARN may hold the name in small letters where the container has it as it was given."""
    script = run("script", {**SCRIPT_TAGS, **changes})
    assert match(JOB, [script]).run == script


@pytest.mark.parametrize("kind", ["trial", "tuning-job", "automl-job", "endpoint"])
def test_groups_are_never_adopted(kind: str) -> None:
    """No script runs in them: only a forger can log such a run."""
    job = replace(JOB, kind=kind)
    forged = run("forged", {**SCRIPT_TAGS, "sagemaker.kind": kind})
    own = mirrored("own", tags={"sagemaker.kind": kind})
    assert match(job, [forged, own]).run == own
    assert match(job, [forged]).run is None


def test_the_oldest_of_two_stays() -> None:
    """By the creation note, then by run id."""
    late, early, tie = mirrored("a", 5), mirrored("z", 3), mirrored("b", 5)
    matched = match(JOB, [late, early, tie])
    assert matched.run == early
    assert matched.duplicates == (late, tie)


@given(st.permutations([mirrored("a", 5), mirrored("z", 3), mirrored("b", 5)]))
def test_the_order_of_candidates_does_not_matter(runs: list[KnownRun]) -> None:
    """Two mirrors choose the same run."""
    matched = match(JOB, runs)
    assert matched.run is not None
    assert matched.run.run_id == "z"
    assert [each.run_id for each in matched.duplicates] == ["a", "b"]


def test_a_copy_does_not_displace_a_sealed_run() -> None:
    """Whatever age its tags claim: it is a duplicate, also where it was there first."""
    genuine, copy = mirrored("genuine", 5), mirrored("copy", 1)
    matched = match(JOB, [copy, genuine], sealed={"genuine"})
    assert (matched.run, matched.duplicates) == (genuine, (copy,))


def test_a_copy_of_a_sealed_run_that_the_user_deleted_is_nothing() -> None:
    """The deleted run stays the job's run; one that lost to another mirror's does not."""
    deleted, copy = mirrored("deleted", 5, active=False), mirrored("copy", 1)
    assert match(JOB, [copy, deleted], sealed={"deleted"}).run == deleted
    lost = mirrored("lost", 5, active=False, tags={"smwatch.duplicate_of": "copy"})
    assert match(JOB, [copy, lost], sealed={"lost"}).run == copy


def test_a_marked_duplicate_that_is_still_there_loses() -> None:
    """A crash between the mark and the removal is healed."""
    marked = mirrored("a", 1, tags={"smwatch.duplicate_of": "b"})
    kept = mirrored("b", 2)
    matched = match(JOB, [marked, kept])
    assert (matched.run, matched.duplicates) == (kept, (marked,))


def test_another_creation_time_is_another_job() -> None:
    """AWS lets a deleted name be used again."""
    assert (
        match(JOB, [mirrored("old", tags={"sagemaker.created": "2020-01-01T00:00:00.000Z"})]).run
        is None
    )


def test_a_run_that_the_user_deleted_is_the_run() -> None:
    """It is found, so that no other is made."""
    deleted = mirrored("gone", active=False)
    assert match(JOB, [deleted]).run == deleted


def test_a_deleted_duplicate_is_no_run() -> None:
    """The mirror's own clean-up is not the user's wish."""
    deleted = mirrored("gone", active=False, tags={"smwatch.duplicate_of": "other"})
    assert match(JOB, [deleted]).run is None


def test_a_run_of_the_jobs_own_script_is_adopted() -> None:
    """The earliest top-level one within the job's life."""
    first = run("first", SCRIPT_TAGS, start_ms=JOB.created_ms + 10)
    second = run("second", SCRIPT_TAGS, start_ms=JOB.created_ms + 20)
    matched = match(JOB, [second, first])
    assert (matched.run, matched.adopted) == (first, True)


def test_foreign_runs_are_left_alone() -> None:
    """A child, a run outside the life, a deleted one, one with only the ARN."""
    foreign = [
        run("child", {**SCRIPT_TAGS, "mlflow.parentRunId": "p"}),
        run("early", SCRIPT_TAGS, start_ms=JOB.created_ms - 1),
        run("late", SCRIPT_TAGS, start_ms=JOB.life_end_ms + 1),
        run("deleted", SCRIPT_TAGS, active=False),
        run("forged", {"sagemaker.arn": ARN}),
        run("other", {**SCRIPT_TAGS, "sagemaker.name": "other"}),
    ]
    assert match(JOB, foreign).run is None


def test_the_run_that_sagemaker_names_is_adopted() -> None:
    """MlflowDetails of the description tell it."""
    named = run("named", {"sagemaker.arn": ARN})
    told = replace(JOB, own_run_id="named")
    assert match(told, [named]).run == named


def test_the_run_that_sagemaker_names_needs_no_tag() -> None:
    """SageMaker-managed MLflow: the run need not carry the ARN, but be within the job's life."""
    told = replace(JOB, own_run_id="named")
    assert match(told, [run("named", {}), run("other", {})]).run == run("named", {})
    assert match(told, [run("named", {}, start_ms=JOB.created_ms - 1)]).run is None
    assert match(told, [run("named", {"mlflow.parentRunId": "p"})]).run is None


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("start_ms", [0, JOB.created_ms - 1, JOB.created_ms + 1])
def test_a_users_copy_is_foreign(start_ms: int, *, active: bool) -> None:
    """One that does not start with the job is none of the mirror's, as long as another does."""
    genuine, copy = mirrored("z", 5, active=active), mirrored("a", 5, start_ms=start_ms)
    matched = match(JOB, [copy, genuine])
    assert (matched.run, matched.duplicates) == (genuine, ())
    assert match(JOB, [copy]).run == copy


@pytest.mark.parametrize("state", ["", "{", "[" * 7000, '{"version": 99}'])
def test_a_run_of_unknown_age_displaces_none(state: str) -> None:
    """A state that cannot be read is not the oldest."""
    forged = mirrored("a", tags={"smwatch.state": state})
    matched = match(JOB, [forged, mirrored("z", 5)])
    assert matched.run is not None
    assert matched.run.run_id == "z"
    assert matched.duplicates == (forged,)
