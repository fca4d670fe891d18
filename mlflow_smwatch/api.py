"""The Python API: the same as the commands, as functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, overload

if TYPE_CHECKING:
    from mlflow_smwatch.ancestry import Source
    from mlflow_smwatch.audit.verify import VerifyReport
    from mlflow_smwatch.core.lineage_graph import Direction, LineageGraph
    from mlflow_smwatch.options import SyncOptions
    from mlflow_smwatch.report import SyncReport
    from mlflow_smwatch.tracking.mirrored_run import MirroredRun


class ExperimentLike(Protocol):
    """An experiment of sagemaker-experiments: it stands for several runs."""

    experiment_name: str

    def list_trials(self) -> Iterable[object]:
        """List its trials."""


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
        and ``until`` datetimes, ``sources`` dicts with the keys of a table ``[[source]]``. Of
        ``region`` and ``assume_role`` there may be several, in a sequence: then each role's account
        is mirrored in each Region.

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
    from mlflow_smwatch.engine.targets import sync as run_sync
    from mlflow_smwatch.options import each_place

    return run_sync(each_place(names=names, **_plain(options)))


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
    from mlflow_smwatch.audit.targets import verify as run_verify
    from mlflow_smwatch.options import each_place

    return run_verify(each_place(names=names, **_plain(options)), repair=repair)


def lineage(
    x: str | None = None,
    *,
    direction: Direction = "both",
    depth: int | None = None,
    tracking_uri: str | None = None,
    source: Source = "mlflow",
    **aws: Any,
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
        For ``source="aws"``: ``region``, ``profile`` and ``redact``.

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
    """Take tags as a mapping, times as datetimes and sources as tables too."""
    plain = dict(options)
    if "sources" in plain:
        from mlflow_smwatch.core.sources import read_sources

        plain["sources"] = read_sources("sources", plain["sources"])
    if isinstance(plain.get("tags"), Mapping):
        plain["tags"] = tuple(plain["tags"].items())
    for name in ("since", "until"):
        if isinstance(plain.get(name), datetime):
            plain[name] = plain[name].isoformat()
    return plain


@overload
def mirror(
    job: ExperimentLike, *, wait: bool = ..., interval_s: float = ..., **options: Any
) -> tuple[MirroredRun, ...]: ...


@overload
def mirror(
    job: object, *, wait: bool = ..., interval_s: float = ..., **options: Any
) -> MirroredRun: ...


def mirror(
    job: object, *, wait: bool = False, interval_s: float = 20.0, **options: Any
) -> MirroredRun | tuple[MirroredRun, ...]:
    """Mirror one job and return its MLflow run.

    Parameters
    ----------
    job
        Name or ARN; or an object of the SageMaker SDK, 2 or 3: an estimator, model trainer,
        processor, transformer, tuner or AutoML object, of which the job that it started last is
        mirrored; a pipeline's execution, a resource of sagemaker-core, a trial or trial component;
        an object of another class that has their attributes. An experiment stands for all of its
        trials.
    wait
        Follow the job until it has ended and its run is final, which is ``settle_s`` seconds (180)
        after its end; with a progress bar on a terminal or in a notebook. Of an endpoint, until it
        is in service. An interrupt ends the wait, not the job.
    interval_s
        With ``wait``: seconds from one look at AWS to the next.
    **options
        As for :func:`sync`. Region and profile are those of the object's session unless given.

    Returns
    -------
    mlflow.entities.Run
        With the address of its page as ``url``; a notebook shows its links. Of an experiment a
        tuple, one run for each trial.

    Raises
    ------
    JobError
        When the job cannot be mirrored, with the reason; also when AWS does not know it.
    UsageError
        When an option cannot be understood, or the object stands for no job.
    StopError
        When nothing can be done: no credentials, no access, no MLflow.

    Examples
    --------
    >>> import mlflow_smwatch as smwatch
    >>> estimator.fit("s3://my-bucket/train", wait=False)  # doctest: +SKIP
    >>> run = smwatch.mirror(estimator, wait=True)  # doctest: +SKIP
    >>> run.data.metrics  # doctest: +SKIP
    {'loss': 0.25}
    """
    from mlflow_smwatch.sdk.mirroring import Waiting
    from mlflow_smwatch.sdk.mirroring import mirror as run_mirror

    chosen = _sync_options(options)
    return run_mirror(job, chosen, Waiting(wanted=wait, interval_s=interval_s))


def autolog(disable: bool = False, *, interval_s: float = 20.0, **options: Any) -> None:  # noqa: FBT001, FBT002 - as of MLflow's own autolog
    """Mirror every job that the SageMaker Python SDK starts from now on, while it runs.

    ``fit()``, ``train()``, ``run()``, ``transform()``, ``tune()`` and a pipeline's ``start()`` do
    and return what they always did. Each job is followed by a thread in the background until its
    run is final; a call that waits for its job returns when the run is up to date. What goes wrong
    with the mirror is a warning in the log.

    Parameters
    ----------
    disable
        Switch it off: the SDK's methods are put back. Jobs that are being followed still are.
    interval_s
        Seconds from one look at a running job to the next.
    **options
        As for :func:`sync`, without names. Region and profile are those of the SDK's session unless
        given.

    Raises
    ------
    UsageError
        When an option cannot be understood, no SageMaker SDK is installed, or MLflow has no import
        hooks.

    Examples
    --------
    >>> import mlflow_smwatch as smwatch
    >>> smwatch.autolog()  # doctest: +SKIP
    >>> estimator.fit("s3://my-bucket/train")  # doctest: +SKIP
    """
    from mlflow_smwatch.sdk import autologging
    from mlflow_smwatch.sdk.mirroring import Waiting

    if disable:
        autologging.switch_off()
        return
    waiting = Waiting(wanted=True, interval_s=interval_s)
    autologging.switch_on(_sync_options(options), waiting.interval_s)


def _sync_options(options: dict[str, Any]) -> SyncOptions:
    from mlflow_smwatch.options import SyncOptions

    return SyncOptions(**_plain(options))
