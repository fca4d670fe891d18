"""The Python API: the same as the commands, as functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlflow_smwatch.core.errors import JobError

if TYPE_CHECKING:
    from mlflow.entities import Run

    from mlflow_smwatch.ancestry import Source
    from mlflow_smwatch.audit.verify import VerifyReport
    from mlflow_smwatch.core.lineage_graph import Direction, LineageGraph
    from mlflow_smwatch.report import SyncReport


def shown_tracking_uri(given: str | None = None) -> str:
    """Return where MLflow writes, absolute, without its password; None is MLflow's own choice."""
    from mlflow_smwatch.tracking.uris import chosen_uri, shown_uri

    return shown_uri(chosen_uri(given))


def sync(*names: str, **options: Any) -> SyncReport:
    """Mirror SageMaker jobs into MLflow once.

    Parameters
    ----------
    *names
        Job names or ARNs; none for every job that was modified since ``since``.
    **options
        The fields of :class:`mlflow_smwatch.options.SyncOptions`, such as ``since="7d"``,
        ``tracking_uri``, ``region``, ``experiment``, ``metrics``. ``tags`` may be a dict, ``since``
        and ``until`` datetimes.

    Returns
    -------
    SyncReport
        The same content as ``smwatch sync --json`` prints.

    Raises
    ------
    UsageError
        When an option cannot be understood.
    StopError
        When nothing can be done: no credentials, no access, no MLflow.

    Examples
    --------
    >>> import mlflow_smwatch as smwatch
    >>> report = smwatch.sync(since="7d", tracking_uri="sqlite:///mlflow.db")  # doctest: +SKIP
    >>> report.jobs["failed"]  # doctest: +SKIP
    0
    """
    from mlflow_smwatch.engine.mirror import sync as run_sync
    from mlflow_smwatch.options import SyncOptions

    return run_sync(SyncOptions(names=names, **_plain(options)))


def verify(*names: str, repair: bool = False, **options: Any) -> VerifyReport:
    """Read AWS and MLflow afresh and compare them, point by point.

    Parameters
    ----------
    *names
        Job names or ARNs; none for every job that was modified since ``since``, and every run that
        was mirrored from this account and Region.
    repair
        Whether to add what MLflow lacks; without it nothing is written.
    **options
        As for :func:`sync`, but for ``dry_run``.

    Returns
    -------
    VerifyReport
        The same content as ``smwatch verify --json`` prints; the two sides are equal where it has
        neither ``differences`` nor ``failed`` jobs.

    Raises
    ------
    UsageError
        When an option cannot be understood.
    StopError
        When nothing can be done: no credentials, no access, no MLflow.

    Examples
    --------
    >>> import mlflow_smwatch as smwatch
    >>> report = smwatch.verify("my-job", tracking_uri="sqlite:///mlflow.db")  # doctest: +SKIP
    >>> report.differences, report.failed  # doctest: +SKIP
    ([], [])
    """
    from mlflow_smwatch.audit.verify import verify as run_verify
    from mlflow_smwatch.options import SyncOptions

    return run_verify(SyncOptions(names=names, **_plain(options)), repair=repair)


def lineage(
    x: str | None = None,
    *,
    direction: Direction = "both",
    depth: int | None = None,
    tracking_uri: str | None = None,
    source: Source = "mlflow",
    **aws: str | None,
) -> LineageGraph:
    """Tell what a thing was made from, and what was made from it.

    Parameters
    ----------
    x
        Job name, ARN, run id, S3 URI or image URI; None for all lineage that MLflow holds.
    direction
        ``upstream``, ``downstream`` or ``both``.
    depth
        Most steps in each direction; None for all.
    tracking_uri
        MLflow tracking URI; None for MLflow's own choice.
    source
        ``mlflow`` needs MLflow alone; ``aws`` asks SageMaker what it recorded.
    **aws
        For ``source="aws"``: ``region`` and ``profile``.

    Returns
    -------
    LineageGraph
        With the thing as root; a name that stands for several makes all of them roots.

    Raises
    ------
    UnknownJobError
        When there is no such thing.
    UsageError
        When an argument cannot be understood.
    StopError
        When MLflow or AWS cannot be used.

    Examples
    --------
    >>> import mlflow_smwatch as smwatch
    >>> graph = smwatch.lineage("my-job", tracking_uri="sqlite:///mlflow.db")  # doctest: +SKIP
    >>> [node.id for node in graph.upstream() if node.kind == "data"]  # doctest: +SKIP
    ['s3://my-bucket/train/']
    """
    from mlflow_smwatch.ancestry import Origin, around, mirrored

    origin = Origin(source=source, tracking_uri=tracking_uri, **aws)
    if x is None and source == "mlflow":
        return mirrored(tracking_uri)
    return around(x or "", origin, direction, depth)


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Take tags as a mapping and times as datetimes too."""
    plain = dict(options)
    if isinstance(plain.get("tags"), Mapping):
        plain["tags"] = tuple(plain["tags"].items())
    for name in ("since", "until"):
        if isinstance(plain.get(name), datetime):
            plain[name] = plain[name].isoformat()
    return plain


def mirror(job: str, **options: Any) -> Run:
    """Mirror one job and return its MLflow run.

    Parameters
    ----------
    job
        Name or ARN.
    **options
        As for :func:`sync`.

    Returns
    -------
    mlflow.entities.Run

    Raises
    ------
    JobError
        When the job cannot be mirrored, with the reason; also when AWS does not know it.
    UsageError
        When an option cannot be understood.
    StopError
        When nothing can be done: no credentials, no access, no MLflow.
    """
    from mlflow_smwatch.tracking.store import read_run

    report = sync(job, **options)
    asked = job.lower()
    run_id = next(
        (each.run_id for each in report.runs if asked in {each.arn.lower(), each.name.lower()}),
        None,
    )
    if run_id is None and report.failed:
        raise JobError(report.failed[0].error)
    if run_id is None:
        message = f"{job} is not mirrored in a dry run: leave dry_run out"
        raise JobError(message)
    return read_run(options.get("tracking_uri"), run_id)
