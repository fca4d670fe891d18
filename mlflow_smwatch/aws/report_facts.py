"""What of rules and monitoring schedules takes a call of its own: one a job, one a schedule."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mlflow_smwatch.aws.completion import Once
from mlflow_smwatch.aws.discovery import Described
from mlflow_smwatch.aws.listing import describe
from mlflow_smwatch.aws.operations import DESCRIBE_MONITORING_SCHEDULE, DESCRIBE_TRAINING_JOB
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    InvalidRequestError,
    RetriableError,
    UnknownJobError,
)
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.mappers.answers import document
from mlflow_smwatch.core.reports import (
    MONITORING_TYPE,
    PROFILER_FIELDS,
    SCHEDULE,
    is_monitoring,
    lacks_rules,
    with_rules,
)

_TYPE = "MonitoringType"


class ReportFacts:
    """Asks for what neither ``Search`` nor a job's description tells; used by several threads.

    Parameters
    ----------
    aws
        The clients.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._schedules: Once[dict[str, Any]] = Once()

    def complete(self, job: Job) -> Described:
        """Add what a job's rules came to, or which endpoint it monitors, where that is not known.

        An ended training job with a profiler takes a ``DescribeTrainingJob``, until none of its
        rules goes on; a monitoring execution a ``DescribeMonitoringSchedule``, one a schedule.

        Parameters
        ----------
        job
            With what its run tells.

        Returns
        -------
        Described
            With what was denied of that, in words.
        """
        what, add = self._lacking(job)
        try:
            return Described(job=add(job) if add else job)
        except UnknownJobError:
            return Described(job=job)
        except (AccessDeniedError, RetriableError, InvalidRequestError) as error:
            return Described(job=job, denied=(f"no {what}: {error}",))

    def _lacking(self, job: Job) -> tuple[str, Callable[[Job], Job] | None]:
        if lacks_rules(job):
            return "profiler rules", self._with_rules
        if is_monitoring(job) and MONITORING_TYPE not in dict(job.facts):
            return "monitoring schedule", self._with_schedule
        return "", None

    def _with_rules(self, job: Job) -> Job:
        request = {"TrainingJobName": job.name}
        raw = describe(self._aws, DESCRIBE_TRAINING_JOB, request, "TrainingJobArn")
        answer = self._aws.redaction.answer(raw)
        told = {field: answer[field] for field in PROFILER_FIELDS if field in answer}
        known = {**json.loads(job.document), **told}
        return replace(with_rules(job, answer), document=document(known))

    def _with_schedule(self, job: Job) -> Job:
        name = dict(job.facts)[SCHEDULE]

        def read() -> dict[str, Any]:
            request = {"MonitoringScheduleName": name}
            member = "MonitoringScheduleArn"
            found = describe(self._aws, DESCRIBE_MONITORING_SCHEDULE, request, member)
            return self._aws.redaction.answer(found)

        schedule = self._schedules.get(name, read)
        kind, endpoint = schedule.get(_TYPE), schedule.get("EndpointName")
        facts = ((MONITORING_TYPE, str(kind)),) if kind else ()
        kinship = replace(job.kinship, endpoint=job.kinship.endpoint or endpoint)
        return replace(job, facts=(*job.facts, *facts), kinship=kinship)
