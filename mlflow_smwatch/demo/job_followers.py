"""Trial components that stand for jobs: made with them, and going along with them."""

from __future__ import annotations

from collections.abc import Callable

from mlflow_smwatch.demo.entities import Entity, EntityStore
from mlflow_smwatch.demo.job_components import component_of, job_source, progress_of
from mlflow_smwatch.demo.job_records import JobRecords
from mlflow_smwatch.demo.memberships import Memberships
from mlflow_smwatch.demo.validation import Answer

DEFAULT_TRIAL = "Default-Run-Group-{}"


class JobFollowers:
    """The components of jobs, in one account and Region.

    Parameters
    ----------
    jobs
        The jobs that have components of their own.
    experiments
        Where the experiments are.
    memberships
        Which components are in which trials.
    run_names
        ARN of a component → RunName.
    is_on
        Tells whether jobs that have no component get one.
    """

    def __init__(
        self,
        jobs: JobRecords,
        experiments: EntityStore,
        memberships: Memberships,
        run_names: dict[str, str],
        is_on: Callable[[], bool],
    ) -> None:
        self._jobs = jobs
        self._experiments = experiments
        self._members = memberships
        self._run_names = run_names
        self._is_on = is_on
        self._seen: dict[str, Answer] = {}

    def refresh(self) -> None:
        """Let the components say what their jobs have become, and make those that are due."""
        for arn in tuple(self._jobs) if self._is_on() else tuple(self._seen):
            job, seen = self._jobs(arn), self._seen.get(arn)
            if job is None or job is seen:
                continue
            self._seen[arn] = job
            known = self.of_job(arn)
            is_new = seen is None or seen["CreationTime"] != job["CreationTime"]
            if is_new and (known is None or seen is not None):
                self._make(arn, job)
            elif known is not None:
                self._members.components.modify(known, **progress_of(job_source(arn), job))

    def of_job(self, arn: str) -> Entity | None:
        """Find the component that stands for a job by its name."""
        source = job_source(arn)
        name = f"{arn.rpartition('/')[2]}-aws-{source.word}"
        return self._members.components.get(name)

    def _make(self, arn: str, job: Answer) -> None:
        config = job.get("ExperimentConfig", {})
        trial = self._trial_of(config)
        component = self._members.components.put(component_of(job_source(arn), job))
        self._members.set(component, () if trial is None else (trial,))
        if run_name := config.get("RunName"):
            self._run_names[component.arn] = run_name

    def _trial_of(self, config: Answer) -> Entity | None:
        """Find the trial of an ExperimentConfig; it is made if missing, as its experiment is."""
        experiment, trial = config.get("ExperimentName"), config.get("TrialName")
        trials = self._members.trials
        if experiment is None:
            return None if trial is None else trials.get(trial)
        if self._experiments.get(experiment) is None:
            self._experiments.put({"ExperimentName": experiment})
        name = trial or DEFAULT_TRIAL.format(experiment)
        known = trials.get(name)
        return known or trials.put({"TrialName": name, "ExperimentName": experiment})
