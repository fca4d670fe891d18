"""Run → the job that it stands for, as it was described when the run was written last.

An endpoint goes on for months without a change of its description: what its run tells is enough to
read its metrics, so that it need not be described in each pass.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.deployments import deployments
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.endpoint_series import described_series
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import JobKind, name_in
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.core.variants import Component, Variant

_STATUS = "sagemaker.status"
_VARIANT = "sagemaker.variant."
_COMPONENT = "component."
_INSTANCE_TYPE = "instance_type"
_SERVERLESS = (("MaxConcurrency", 1),)
"""What stands for the settings of a serverless variant, which are not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRecord(RunRecord):
    """What MLflow shows of a job already, of which nothing is to be written.

    Attributes
    ----------
    written
        Fingerprint of what was written.
    """

    written: str

    @property
    def fingerprint(self) -> str:
        """As of the record that was written."""
        return self.written


def remembered_job(kind: JobKind, run: KnownRun, *, created_ms: int, modified_ms: int) -> Job:
    """Make of a run the job that it stands for, without what only its description tells.

    Parameters
    ----------
    kind
        The job's kind.
    run
        Its run.
    created_ms, modified_ms
        CreationTime and LastModifiedTime.
    """
    arn, prefix = Arn.parse(run.tags[names.ARN]), names.RESOURCE_TAG_PREFIX
    name, variants = run.tags.get(names.NAME) or name_in(arn), variants_in(run.tags)
    tags = [(key, value) for key, value in run.tags.items() if key.startswith(prefix)]
    return Job(
        kind=kind,
        arn=arn,
        name=name,
        status=run.tags.get(_STATUS, ""),
        created_ms=created_ms,
        modified_ms=modified_ms,
        role_arn=run.tags.get(names.ROLE),
        variants=variants,
        further=described_series(name, variants),
        tags=tuple(sorted((key.removeprefix(prefix), value) for key, value in tags)),
        deployments=deployments(None, run.tags),
        document="",
    )


def written_record(job: Job, run: KnownRun, fingerprint: str, experiment: str) -> WrittenRecord:
    """Take what a run shows as its record.

    Parameters
    ----------
    job
        As of :func:`remembered_job`.
    run
        Its run.
    fingerprint
        Of the record that was written.
    experiment
        Name of the run's experiment.
    """
    facts = {key: value for key, value in run.tags.items() if _is_of_record(key)}
    return WrittenRecord(
        written=fingerprint,
        arn=str(job.arn),
        created=iso_utc(job.created_ms),
        kind=job.kind.word,
        name=job.name,
        title=job.name,
        experiment=experiment,
        status=run.status,
        start_ms=job.created_ms,
        end_ms=run.end_ms,
        tags=tuple(sorted(facts.items())),
        params=(),
        datasets=(),
        model=None,
        note="",
        document="",
    )


def variants_in(tags: Mapping[str, str]) -> tuple[Variant, ...]:
    """Tell the variants of an endpoint, as far as its series need it, by the tags of its run."""
    told: dict[str, dict[str, str]] = {}
    for key, value in tags.items():
        if key.startswith(_VARIANT):
            name, _, fact = key.removeprefix(_VARIANT).partition(".")
            told.setdefault(name, {})[fact] = value
    return tuple(_variant(name, facts) for name, facts in sorted(told.items()))


def _variant(name: str, facts: Mapping[str, str]) -> Variant:
    inner = (each.removeprefix(_COMPONENT) for each in facts if each.startswith(_COMPONENT))
    components = dict.fromkeys(each.partition(".")[0] for each in inner)
    return Variant(
        name=name,
        serverless=() if _INSTANCE_TYPE in facts else _SERVERLESS,
        containers=_names_in(facts.get("containers", "[]")),
        components=tuple(Component(name=each) for each in components),
    )


def _names_in(text: str) -> tuple[str, ...]:
    """Read a list of names; a text that somebody changed has none."""
    try:
        found = json.loads(text)
    except ValueError:
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _is_of_record(key: str) -> bool:
    return names.is_fact(key) or key == names.PARENT or key.startswith(names.LINEAGE)
