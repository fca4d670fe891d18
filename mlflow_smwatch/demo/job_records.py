"""Search's records of the jobs that have trial components of their own, by ARN."""

from __future__ import annotations

from collections.abc import Iterator

from mlflow_smwatch.demo.entities import record_members
from mlflow_smwatch.demo.job_components import JOB_SOURCES
from mlflow_smwatch.demo.job_store import JobStore
from mlflow_smwatch.demo.resource_store import Resource
from mlflow_smwatch.demo.resources import Resources
from mlflow_smwatch.demo.training_jobs import TrainingJobs
from mlflow_smwatch.demo.validation import Answer


class JobRecords:
    """The records of training, processing and transform jobs, as they are by the account's clock.

    Parameters
    ----------
    jobs, training
        The training jobs, and what carries their stops out.
    resources
        The others.
    """

    def __init__(self, jobs: JobStore, training: TrainingJobs, resources: Resources) -> None:
        self._jobs = jobs
        self._training = training
        self._stores = [resources.stores[word] for word in JOB_SOURCES if word in resources.stores]
        self._made: dict[str, tuple[Answer, dict[str, str], Answer]] = {}

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ARNs of all jobs."""
        for job in self._jobs:
            yield job.arn
        for store in self._stores:
            for resource in store:
                yield resource.arn

    def __call__(self, arn: str) -> Answer | None:
        """Give the record of a job, tags and all.

        Returns
        -------
        dict or None
            Times as seconds; the same object as long as the job is the same. None for what is no
            job of the account.
        """
        job = self._jobs.by_arn(arn)
        if job is not None:
            if job.stops_at is not None:
                self._training.tagged(arn)
            return job.found()
        found = (store.get(arn) for store in self._stores)
        resource = next((one for one in found if one is not None), None)
        return None if resource is None else self._record(resource)

    def _record(self, resource: Resource) -> Answer:
        whole, tags = resource.whole(), resource.tags
        known = self._made.get(resource.arn)
        if known is None or known[0] is not whole or known[1] is not tags:
            known = self._made[resource.arn] = (whole, tags, _record_of(resource))
        return known[2]


def _record_of(resource: Resource) -> Answer:
    """Make the record that a component's SourceDetail holds; Search has no such resource."""
    members = record_members(resource.kind.noun)
    record = {key: value for key, value in resource.whole().items() if key in members}
    return {**record, "Tags": resource.tag_list()}
