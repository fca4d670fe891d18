"""Fields of an answer, each of which may be absent or odd, and what every kind has of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.errors import JobError, UsageError
from mlflow_smwatch.core.job import Channel, Job
from mlflow_smwatch.core.job_kinds import PIPELINE_EXECUTION, JobKind, name_in
from mlflow_smwatch.core.keys import legal_value
from mlflow_smwatch.core.kinship import Kinship
from mlflow_smwatch.core.moments import iso_utc, to_ms

Answer: TypeAlias = Mapping[str, Any]

_COMMIT_TAGS = frozenset(
    {"git_commit", "git-commit", "gitcommit", "commit_id", "commit-id", "mlflow.source.git.commit"}
)
_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)


def part(answer: Answer, *path: str) -> Answer:
    """Return the structure at a path of field names; an empty one where there is none."""
    for name in path:
        found = answer.get(name)
        answer = found if isinstance(found, Mapping) else {}
    return answer


def parts(answer: Answer, *path: str) -> tuple[Answer, ...]:
    """Return the structures of the list at a path of field names."""
    found = part(answer, *path[:-1]).get(path[-1])
    entries = found if isinstance(found, (list, tuple)) else ()
    return tuple(entry for entry in entries if isinstance(entry, Mapping))


def text(answer: Answer, *path: str) -> str | None:
    """Return the text at a path of field names; None where there is none, or an empty one."""
    found = part(answer, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) and found else None


def number(answer: Answer, *path: str) -> float | None:
    """Return the number at a path of field names."""
    found = part(answer, *path[:-1]).get(path[-1])
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    return float(found)


def whole(answer: Answer, *path: str) -> int | None:
    """Return the whole number at a path of field names."""
    found = number(answer, *path)
    return int(found) if found is not None and found.is_integer() else None


def moment_ms(answer: Answer, *path: str) -> int | None:
    """Return the moment at a path of field names, in milliseconds since the epoch."""
    found = part(answer, *path[:-1]).get(path[-1])
    return to_ms(found) if isinstance(found, datetime) else None


def seconds_between(answer: Answer, begin: str, end: str) -> float | None:
    """Return the seconds from one moment to another; None where one of them is not told."""
    begin_ms, end_ms = moment_ms(answer, begin), moment_ms(answer, end)
    return None if begin_ms is None or end_ms is None else max(0, end_ms - begin_ms) / 1000


def written(value: float) -> str:
    """Write a number as the shortest text that is exactly it: ``0.1``, ``3``, ``1e-05``."""
    return repr(float(value)).removesuffix(".0")


def pairs(values: Answer) -> tuple[tuple[str, str], ...]:
    """Return names and values as sorted texts."""
    return tuple(sorted((str(key), str(value)) for key, value in values.items()))


def present(*values: tuple[str, str | int | float | None]) -> tuple[tuple[str, str], ...]:
    """Return those names and values that have a value, as texts."""
    return tuple(
        (name, value if isinstance(value, str) else written(value))
        for name, value in values
        if value is not None
    )


def arn_in(answer: Answer, *path: str) -> Arn | None:
    """Return the ARN at a path of field names."""
    found = text(answer, *path)
    try:
        return Arn.parse(found) if found else None
    except UsageError:
        return None


def s3_uri(answer: Answer, *path: str) -> str | None:
    """Return the S3 URI at a path of field names."""
    found = text(answer, *path)
    return found if found and found.startswith("s3://") else None


def s3_channels(entries: Iterable[Answer]) -> tuple[Channel, ...]:
    """Return the channels of an ``InputDataConfig`` that are read from S3."""
    return tuple(
        Channel(name=name, uri=uri)
        for entry in entries
        if (name := text(entry, "ChannelName"))
        and (uri := text(entry, "DataSource", "S3DataSource", "S3Uri"))
    )


def instances(resources: Answer) -> tuple[str | None, int | None]:
    """Return type and number of instances; of groups, the types joined, the numbers summed."""
    groups = parts(resources, "InstanceGroups")
    if groups:
        types = dict.fromkeys(filter(None, (text(group, "InstanceType") for group in groups)))
        return ", ".join(types) or None, sum(whole(group, "InstanceCount") or 0 for group in groups)
    kind = text(resources, "SelectedInstanceType") or text(resources, "InstanceType")
    count = whole(resources, "SelectedInstanceCount") or whole(resources, "InstanceCount")
    return kind, count


def instance_groups(resources: Answer) -> tuple[tuple[str, int], ...]:
    """Return type and number of the instances of each group; empty where a group lacks either."""
    groups = parts(resources, "InstanceGroups")
    told = [instances({**group}) for group in groups] or [instances(resources)]
    known = tuple((kind, count) for kind, count in told if kind and count is not None)
    return known if len(known) == len(told) else ()


def hosts(instance_count: int | None) -> tuple[str, ...]:
    """Name the hosts of a job, ``algo-1`` to ``algo-n``."""
    return tuple(f"algo-{number}" for number in range(1, (instance_count or 1) + 1))


def described(
    kind: JobKind, answer: Answer, stem: str, *, end: str | None = None, status: str | None = None
) -> Job:
    """Make a job with what every kind has.

    Parameters
    ----------
    kind
        Of the job.
    answer
        What AWS said.
    stem
        How the names of its fields begin: ``TrainingJob`` of ``TrainingJobName``.
    end
        The field that holds when it ended. An ended job without one ended when it was modified
        last.
    status
        Its status, where that is no field of the answer.

    Raises
    ------
    JobError
        When the answer lacks name, ARN, status or CreationTime.
    """
    arn = arn_in(answer, f"{stem}Arn")
    name = text(answer, f"{stem}Name")
    if kind is PIPELINE_EXECUTION and arn:
        name = name_in(arn)
    created_ms = moment_ms(answer, "CreationTime")
    status = text(answer, f"{stem}Status") if status is None else status
    found = {
        f"{stem}Name": name,
        f"{stem}Arn": arn,
        f"{stem}Status": status,
        "CreationTime": created_ms,
    }
    if arn is None or name is None or created_ms is None or status is None:
        raise _incomplete(kind, found)
    modified_ms = moment_ms(answer, "LastModifiedTime")
    ended_ms = moment_ms(answer, end) if end else None
    ended_ms = modified_ms if ended_ms is None else ended_ms
    if modified_ms is None:
        modified_ms = created_ms if ended_ms is None else ended_ms
    return Job(
        kind=kind,
        arn=arn,
        name=name,
        status=status,
        created_ms=created_ms,
        modified_ms=modified_ms,
        ended_ms=ended_ms if status in kind.end_states else None,
        failure_reason=text(answer, "FailureReason"),
        role_arn=text(answer, "RoleArn"),
        kinship=_kinship(answer),
        component_known="TrialComponent" in answer,
        commit=_commit(answer),
        tags=pairs(_tags(answer)),
        document=document(answer),
    )


def document(answer: Answer) -> str:
    """Write an AWS answer as JSON text with sorted keys and ISO times, one value for one answer."""
    content = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    whole_text = json.dumps(
        content, indent=2, sort_keys=True, default=_json_value, ensure_ascii=False
    )
    return legal_value(whole_text, len(whole_text))


def with_log_streams(job_document: str, names: Sequence[str]) -> str:
    """Add the names of a job's log streams to its document, as ``LogStreams``."""
    return document({**json.loads(job_document), "LogStreams": list(names)})


def trials_in(component: Answer) -> tuple[str, ...]:
    """Name the trials that a component is in, each once, in the order given."""
    names = (text(parent, "TrialName") for parent in parts(component, "Parents"))
    return tuple(dict.fromkeys(filter(None, names)))


def experiment_in(component: Answer) -> str | None:
    """Name the experiment of the first trial that a component is in."""
    names = (text(parent, "ExperimentName") for parent in parts(component, "Parents"))
    return next(names, None)


def _incomplete(kind: JobKind, found: Answer) -> JobError:
    missing = ", ".join(field for field, value in found.items() if value is None)
    return JobError(f"AWS described {kind.with_article} without {missing}")


def _kinship(answer: Answer) -> Kinship:
    tuning_job, automl_job = (arn_in(answer, f"{group}JobArn") for group in ("Tuning", "AutoML"))
    experiment = text(answer, "ExperimentConfig", "ExperimentName")
    trial = text(answer, "ExperimentConfig", "TrialName")
    trials: tuple[str, ...] = (trial,) if trial else ()
    component = part(answer, "TrialComponent")
    if "TrialComponent" in answer:
        experiment, trials = experiment_in(component), trials_in(component)
    return Kinship(
        experiment=experiment,
        trial=trials[0] if trials else None,
        trials=trials,
        component=text(component, "TrialComponentName"),
        component_arn=text(component, "TrialComponentArn"),
        tuning_job=tuning_job.resource_name if tuning_job else None,
        automl_job=automl_job.resource_name if automl_job else None,
        pipeline_execution=text(answer, "PipelineExecutionArn"),
    )


def _commit(answer: Answer) -> str | None:
    """Find a git commit: what the component says, else a resource tag that looks like one."""
    for owner in (part(answer, "TrialComponent"), answer):
        if said := text(owner, "MetadataProperties", "CommitId"):
            return said
    tagged = (
        value
        for name, value in pairs(_tags(answer))
        if name.lower() in _COMMIT_TAGS and _COMMIT.fullmatch(value)
    )
    return next(tagged, None)


def _tags(answer: Answer) -> dict[str, str]:
    entries = parts(answer, "Tags")
    return {str(tag["Key"]): str(tag.get("Value") or "") for tag in entries if "Key" in tag}


def _json_value(value: object) -> str:
    return iso_utc(to_ms(value)) if isinstance(value, datetime) else str(value)
