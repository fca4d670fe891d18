"""What SageMaker says of an experiment, on the MLflow experiment of the same name."""

from __future__ import annotations

from mlflow_smwatch.core.errors import JobError, reason
from mlflow_smwatch.engine.context import PassContext


def write_experiments(context: PassContext) -> list[str]:
    """Write description and tags of the SageMaker experiments that a pass has met.

    Parameters
    ----------
    context
        What all jobs of the pass share.

    Returns
    -------
    list of str
        What could not be written, in words.

    Raises
    ------
    StopError
        When MLflow is gone.
    """
    names = context.families.experiments
    if not names or context.options.experiment:
        return []
    found = context.finder.experiments(sorted(names))
    if context.options.dry_run:
        return []
    refused = []
    for name, facts in found.items():
        try:
            context.experiments.describe(name, facts.arn, facts.description, dict(facts.tags))
        except JobError as error:
            refused.append(f"the experiment {name} is not described: {reason(error)}")
    return refused
