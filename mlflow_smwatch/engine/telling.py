"""Tells observers what is in MLflow now; what becomes of that disturbs no mirror."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import reason
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.moments import iso_utc
from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.observation import Observation

logger = logging.getLogger(__name__)


def tell(context: PassContext, found: Observation) -> None:
    """Tell all observers of a job; one that raises is named in a line, and the others hear.

    Parameters
    ----------
    context
        Of the pass, with the observers.
    found
        What they are told.
    """
    for observe in context.observers:
        try:
            observe(found)
        except Exception as error:  # noqa: BLE001 - the border of one observer: the pass goes on
            told = "what was found of %s could not be passed on: %s"
            logger.error(told, found.record.arn, reason(error))  # noqa: TRY400 - one line


def tell_gone(
    context: PassContext,
    run: KnownRun,
    *,
    status: str,
    end_ms: int | None,
    points: Sequence[MetricPoint] = (),
    final: bool = True,
) -> None:
    """Tell of a job that AWS no longer has, once its run is written; all else is as on the run.

    Parameters
    ----------
    context
        Of the pass.
    run
        As it was before this pass.
    status, end_ms
        Of the run, as they are now.
    points
        Those that were written.
    final
        Whether nothing more will be read.
    """
    if not context.observers:
        return
    line = context.known_line(run)
    record = RunRecord(
        arn=line.arn,
        created=run.tags.get(names.CREATED, ""),
        kind=line.kind,
        name=line.name,
        title=line.name,
        experiment=line.experiment or "",
        status=status,
        start_ms=run.start_ms,
        end_ms=end_ms,
        tags=tuple(sorted({names.GONE: iso_utc(context.now_ms), **run.tags}.items())),
        params=tuple(sorted(run.params.items())),
        datasets=(),
        model=None,
        note="",
        document="",
    )
    found = Observation(
        record=record,
        run_id=run.run_id,
        points=tuple(points),
        created=False,
        final=final,
        status_before=run.status,
        noted=run.tags,
    )
    tell(context, found)
