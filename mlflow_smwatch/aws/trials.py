"""Trials and experiments by name, and the trials that a component is in, in their order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from mlflow_smwatch.aws.listing import describe, has_any, list_all, list_pages, list_tags
from mlflow_smwatch.aws.operations import DESCRIBE_EXPERIMENT, DESCRIBE_TRIAL, LIST_TRIALS
from mlflow_smwatch.aws.search import Record, Searcher, equals
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.arn import is_arn
from mlflow_smwatch.core.describe import to_ms
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    JobError,
    RetriableError,
    SmwatchError,
)

TRIALS = "ExperimentTrial"
"""What ``Search`` calls trials."""

_KEPT = ("TrialName", "ExperimentName", "CreationTime")

Parent = dict[str, str]
"""``TrialName`` and, where it is known, ``ExperimentName``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentFacts:
    """What SageMaker knows of an experiment.

    Attributes
    ----------
    arn
        Of the experiment.
    description
        None where it has none.
    tags
        Name and value pairs, sorted by name.
    """

    arn: str
    description: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


@dataclass
class Trials:
    """The trials of one account and Region; each is asked for once.

    May be used by several threads.
    """

    searcher: Searcher
    _records: dict[str, Record] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def remember(self, records: Iterable[Record]) -> None:
        """Keep of trials what tells their order."""
        with self._lock:
            for each in records:
                known = {key: each[key] for key in _KEPT if key in each}
                self._records[each["TrialName"]] = known

    def search(self, asked: Iterable[str]) -> dict[str, Record]:
        """Find trials by name or ARN, 20 a call.

        Returns
        -------
        dict
            What was asked → its record; without those that ``Search`` does not give.
        """
        found: dict[str, Record] = {}
        wanted = list(dict.fromkeys(asked))
        filters = [equals("TrialArn" if is_arn(each) else "TrialName", each) for each in wanted]
        for record in self.searcher.matching(TRIALS, filters, "DescribeTrial") or ():
            self.remember((record,))
            found[record["TrialName"]] = record
            found[record["TrialArn"].lower()] = record
        keys = {each: each.lower() if is_arn(each) else each for each in wanted}
        return {each: found[key] for each, key in keys.items() if key in found}

    def ordered(self, parents: Iterable[Mapping[str, Any]]) -> list[Parent]:
        """Put a component's trials in the order of their CreationTime, then name.

        Trials that cannot be had come last.
        """
        given = [dict(each) for each in parents if each.get("TrialName")]
        times = {each["TrialName"]: self._created_ms(each["TrialName"]) for each in given}
        return sorted(given, key=lambda each: (times[each["TrialName"]], each["TrialName"]))

    def look_up(self, names: Iterable[str]) -> None:
        """Ask for trials that are not known yet, so that others need not be asked one by one."""
        with self._lock:
            missing = [name for name in dict.fromkeys(names) if name not in self._records]
        if missing:
            self.search(missing)

    def parents_of(self, component: str) -> list[Parent]:
        """List the trials that a component is in (``ListTrials``, ``DescribeTrial``).

        Raises
        ------
        AccessDeniedError, RetriableError
            When ``ListTrials`` is denied or keeps failing.
        """
        summaries = list_all(
            self.searcher.aws, LIST_TRIALS, {"TrialComponentName": component}, "TrialSummaries"
        )
        parents = []
        for each in sorted(summaries, key=lambda one: (one["CreationTime"], one["TrialName"])):
            experiment = self._record(each["TrialName"]).get("ExperimentName")
            known = {"ExperimentName": str(experiment)} if experiment else {}
            parents.append({"TrialName": str(each["TrialName"]), **known})
        return parents

    def _created_ms(self, name: str) -> float:
        created = self._record(name).get("CreationTime")
        return to_ms(created) if created else math.inf

    def _record(self, name: str) -> Record:
        """Tell what is known of a trial; nothing where it cannot be had."""
        with self._lock:
            if name in self._records:
                return self._records[name]
        try:
            raw = describe(self.searcher.aws, DESCRIBE_TRIAL, {"TrialName": name}, "TrialArn")
            record = self.searcher.aws.redaction.answer(raw)
        except (AccessDeniedError, RetriableError, JobError) as error:
            if isinstance(error, AccessDeniedError):
                self.searcher.warn(f"{error}; the order of a job's trials may be another")
            record = {}
        with self._lock:
            return self._records.setdefault(name, record)


def trials_exist(aws: Aws) -> bool:
    """Tell by one small call whether there is any trial (``ListTrials``).

    Raises
    ------
    AccessDeniedError, RetriableError
        When the operation is denied or keeps failing.
    """
    return has_any(aws, LIST_TRIALS, "TrialSummaries")


def list_trials(searcher: Searcher, request: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """List trials, oldest first (``ListTrials``)."""
    order = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
    return list_pages(searcher.aws, LIST_TRIALS, {**order, **request}, "TrialSummaries")


def experiments(searcher: Searcher, names: Iterable[str]) -> dict[str, ExperimentFacts]:
    """Find what SageMaker knows of experiments, 20 a call.

    Parameters
    ----------
    searcher
        Searches; where it cannot, each is described.
    names
        Of the experiments.

    Returns
    -------
    dict
        Name → facts; without those that AWS does not have, or may not be asked about.
    """
    wanted = list(dict.fromkeys(names))
    filters = [equals("ExperimentName", name) for name in wanted]
    records = searcher.matching("Experiment", filters, "DescribeExperiment")
    if records is not None:
        return {each["ExperimentName"]: _facts(each) for each in records}
    described = {name: _described(searcher, name) for name in wanted}
    return {name: facts for name, facts in described.items() if facts}


def _described(searcher: Searcher, name: str) -> ExperimentFacts | None:
    try:
        request = {"ExperimentName": name}
        answer = describe(searcher.aws, DESCRIBE_EXPERIMENT, request, "ExperimentArn")
    except (AccessDeniedError, RetriableError, JobError) as error:
        _warn(searcher, error)
        return None
    try:
        answer["Tags"] = list_tags(searcher.aws, answer["ExperimentArn"])
    except (AccessDeniedError, RetriableError, JobError) as error:
        _warn(searcher, error)
    return _facts(searcher.aws.redaction.answer(answer))


def _warn(searcher: Searcher, error: SmwatchError) -> None:
    if isinstance(error, AccessDeniedError | RetriableError):
        searcher.warn(f"{error}; experiments are mirrored without description or tags")


def _facts(record: Mapping[str, Any]) -> ExperimentFacts:
    tags = ((str(tag["Key"]), str(tag.get("Value") or "")) for tag in record.get("Tags") or ())
    return ExperimentFacts(
        arn=str(record["ExperimentArn"]),
        description=record.get("Description") or None,
        tags=tuple(sorted(tags)),
    )
