"""What a user types (a job's name or ARN, or a run id) → the runs that stand for it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import is_arn
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.tracking.conditions import literal
from mlflow_smwatch.tracking.run_search import RunSearch

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_COMPONENT = "sagemaker.trial_component"
_COMPONENT_ARN = "sagemaker.trial_component_arn"


def is_run_id(text: str) -> bool:
    """Whether a text has the form of a run id."""
    return _RUN_ID.fullmatch(text) is not None


def named_runs(runs: RunSearch, text: str) -> tuple[KnownRun, ...]:
    """Find the runs of what a user calls so, deleted ones too, the latest first.

    Parameters
    ----------
    runs
        Searches the store.
    text
        A job's name or ARN; or those of its trial component, where no run has them for its own.

    Returns
    -------
    tuple of KnownRun
        Runs that carry an ARN, whoever made them; a name may stand for jobs of several kinds,
        accounts and Regions.

    Raises
    ------
    TrackingError
        When MLflow cannot be asked.
    """
    if not text.isprintable() or ("'" in text and '"' in text):
        return ()
    if is_arn(text):
        listed = runs.with_arns((text,))
        found = _like(runs, names.ARN, text) if listed is None else _latest(listed)
        return found or _like(runs, _COMPONENT_ARN, text)
    return _equal(runs, names.NAME, text) or _equal(runs, _COMPONENT, text)


def _like(runs: RunSearch, key: str, arn: str) -> tuple[KnownRun, ...]:
    """Find an ARN in whatever letters; what SQL takes for a pattern stands for itself alone."""
    found = runs.search(f"tags.`{key}` ILIKE {literal(arn)}")
    return _latest(run for run in found if run.tags[key].lower() == arn.lower())


def _equal(runs: RunSearch, key: str, name: str) -> tuple[KnownRun, ...]:
    found = runs.search(f"tags.`{key}` = {literal(name)}")
    return _latest(run for run in found if run.tags[key] == name and names.ARN in run.tags)


def _latest(runs: Iterable[KnownRun]) -> tuple[KnownRun, ...]:
    return tuple(sorted(runs, key=lambda run: (-run.start_ms, run.run_id)))
