"""What the user asks of a sync: one frozen value for the CLI, the environment and Python."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mlflow_smwatch.core.errors import JobError, UsageError
from mlflow_smwatch.core.job_kinds import KINDS, USUAL_KINDS
from mlflow_smwatch.core.moments import moment
from mlflow_smwatch.core.prices import PriceList, read_price_list
from mlflow_smwatch.core.redact import Redaction
from mlflow_smwatch.core.sources import Source
from mlflow_smwatch.tracking.locations import overlaid_below

METRIC_SOURCES = ("auto", "cloudwatch", "logs", "off")
ARTIFACT_MODES = ("none", "link", "copy", "overlay")
DASK = "dask"
PRICES_OF_AWS = "aws"
EXECUTORS = ("threads", DASK)

_PERCENTILE = re.compile(r"p(100|[0-9]{1,2}(\.[0-9]{1,10})?)")
""""CloudWatch statistics definitions", Percentile."""

_MODEL_NAME = re.compile(r'[^/:"]+')
_ARTIFACT_BASE = re.compile(
    r"(file://(?=/)|(?=/)|(s3|gs|wasbs)://(?=[^/]))(?!//)[^?#\x00-\x1f\x7f]+"
)
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]{1,576}")
"""``CreateRole``: a path of up to 512 characters, a name of up to 64."""

_FOLDER = 32 * "0"
_MAX_WORKERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """The options of one sync.

    Attributes
    ----------
    names
        Job names or ARNs; empty for every job that was modified since ``since``.
    kinds
        Kinds of jobs, words of :data:`mlflow_smwatch.core.job_kinds.KINDS`.
    since, until
        Bounds on LastModifiedTime: ISO 8601 (UTC where no offset is given), or how long ago:
        ``90m``, ``36h``, ``7d``.
    tracking_uri
        MLflow tracking URI; None for MLflow's own choice.
    region, profile
        AWS Region and profile; None for boto3's own choice.
    assume_role
        ARN of a role that is assumed to read the account; None to read with the credentials that
        boto3 finds.
    experiment
        Put everything into this MLflow experiment.
    tags
        Resource tags that a job must have, as key and value.
    name_contains
        A part of the job's name.
    metrics
        Where algorithm metrics come from: ``logs``, ``cloudwatch``, ``auto`` (the logs where they
        can be read and hold a match, else CloudWatch) or ``off`` (no metrics at all).
    artifacts
        ``link`` stores ``sagemaker/job.json`` and ``sagemaker/lineage.html``; ``none`` stores
        nothing; ``copy`` stores small reports of the job too; ``overlay`` makes experiments in
        which a run shows its job's logs, model and output, read from AWS when somebody looks.
    artifact_base
        URI under which new experiments keep what is stored itself; None for MLflow's own place.
        Without ``overlay`` it has no effect.
    register
        Name of the MLflow registered model of which the models become versions; None for none.
    workers
        How many threads read and write; with ``dask`` in each thread of the cluster's workers too.
    executor
        ``threads`` reads and writes in this process; ``dask`` has it done by a Dask cluster, in
        :func:`mlflow_smwatch.sync` alone.
    scheduler
        Address of the cluster's scheduler, such as ``tcp://host:8786``. Without ``dask`` it has no
        effect.
    settle_s
        How old a CloudWatch period must be before it is mirrored, seconds.
    give_up_denied
        Make an ended job final although a part of it is denied.
    restore
        Bring runs back that the user deleted in MLflow, of the jobs in ``names``.
    redact
        Regular expressions (of RE2) of what is a secret too: each match becomes ``***``.
    prices
        File of prices that take the place of those that are built in; ``aws`` asks the Price List
        API for those of instances; None for neither.
    max_calls, max_cost
        How many AWS calls, and dollars for them, a pass may come to; None for as many as it takes.
    dry_run
        Read job lists only and forecast the rest.
    ui_url
        Address of MLflow's pages, where it is not the tracking server's.
    latency_percentiles
        Percentiles of the latencies of endpoints that are mirrored besides the average: ``p90``.
    endpoint_window
        How long ago the metrics of an endpoint begin that is mirrored for the first time.
    alarms
        Show the CloudWatch alarms on what is mirrored on the runs.
    sources
        What else of CloudWatch belongs to which jobs.

    Raises
    ------
    UsageError
        When a value cannot be understood.
    """

    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = USUAL_KINDS
    since: str = "7d"
    until: str | None = None
    tracking_uri: str | None = None
    region: str | None = None
    profile: str | None = None
    assume_role: str | None = None
    experiment: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    name_contains: str | None = None
    metrics: str = "auto"
    artifacts: str = "link"
    artifact_base: str | None = None
    register: str | None = None
    workers: int = 8
    executor: str = "threads"
    scheduler: str | None = None
    settle_s: int = 180
    give_up_denied: bool = False
    restore: bool = False
    redact: tuple[str, ...] = ()
    prices: str | None = None
    max_calls: int | None = None
    max_cost: float | None = None
    dry_run: bool = False
    ui_url: str | None = None
    latency_percentiles: tuple[str, ...] = ()
    endpoint_window: str = "455d"
    alarms: bool = False
    sources: tuple[Source, ...] = ()

    @property
    def stores_document(self) -> bool:
        """Whether ``sagemaker/job.json`` is stored with each run."""
        return self.artifacts != "none"

    @property
    def copies_reports(self) -> bool:
        """Whether small reports of each job are stored with its run."""
        return self.artifacts == "copy"

    @property
    def redaction(self) -> Redaction:
        """What is a secret."""
        return Redaction(tuple(self.redact))

    def __post_init__(self) -> None:
        """Refuse what cannot be understood."""
        self._require_redaction()
        now = datetime.now(tz=timezone.utc)
        since = moment(self.since, now, "--since")
        if self.until is not None and moment(self.until, now, "--until") < since:
            message = f"--until {self.until} lies before --since {self.since}"
            raise UsageError(message)
        _require_known("--kinds", self.kinds, KINDS)
        _require_known("--metrics", [self.metrics], METRIC_SOURCES)
        _require_known("--artifacts", [self.artifacts], ARTIFACT_MODES)
        _require_known("--executor", [self.executor], EXECUTORS)
        if self.executor == DASK and not self.scheduler:
            message = "--executor dask: give --scheduler ADDRESS, such as tcp://host:8786"
            raise UsageError(message)
        moment(self.endpoint_window, now, "--endpoint-window")
        self._require_percentiles()
        self._require_place()
        self._require_base()
        if self.register is not None and not _MODEL_NAME.fullmatch(self.register):
            message = (
                f"--register {self.register!r}: a model's name has no slash, colon or double quote"
            )
            raise UsageError(message)
        if not 1 <= self.workers <= _MAX_WORKERS:
            message = f"--workers {self.workers}: give a number from 1 to {_MAX_WORKERS}"
            raise UsageError(message)
        if self.settle_s < 0:
            message = f"--settle {self.settle_s}: give seconds, 0 or more"
            raise UsageError(message)

        self._require_bill()

    def price_list(self) -> PriceList | None:
        """Read the list of prices that the user gives; None where it is no file.

        Raises
        ------
        UsageError
            When it cannot be read or understood.
        """
        if self.prices is None or self.prices == PRICES_OF_AWS:
            return None
        try:
            text = Path(self.prices).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "no UTF-8 text"
            message = f"--prices {self.prices}: {why}"
            raise UsageError(message) from error
        return read_price_list(text, self.prices)

    def _require_bill(self) -> None:
        """Refuse limits that allow nothing, and limits that many processes would share."""
        self.price_list()
        if self.max_calls is not None and self.max_calls < 1:
            message = f"--max-calls {self.max_calls}: give 1 or more"
            raise UsageError(message)
        if self.max_cost is not None and not 0 <= self.max_cost < math.inf:
            message = f"--max-cost {self.max_cost}: give dollars, 0 or more"
            raise UsageError(message)
        limited = self.max_calls is not None or self.max_cost is not None
        if limited and self.executor == DASK:
            message = (
                "--max-calls and --max-cost are not for --executor dask: its workers call AWS each"
                " for itself; leave the limit or the executor out"
            )
            raise UsageError(message)

    def _require_percentiles(self) -> None:
        """Refuse what CloudWatch does not know as a percentile."""
        for each in self.latency_percentiles:
            if not _PERCENTILE.fullmatch(each):
                message = f"--latency-percentiles {each!r}: give percentiles such as p50,p90,p99.9"
                raise UsageError(message)

    def _require_place(self) -> None:
        """Refuse several Regions or roles, and what is no role's ARN."""
        given: tuple[object, ...] = (self.region, self.assume_role)
        if not all(each is None or isinstance(each, str) for each in given):
            message = "give one --region and one --assume-role: several are for sync and verify"
            raise UsageError(message)
        if self.assume_role is not None and not _ROLE.fullmatch(self.assume_role):
            message = (
                f"--assume-role {self.assume_role!r}: give the ARN of a role,"
                " arn:aws:iam::123456789012:role/NAME"
            )
            raise UsageError(message)

    def _require_redaction(self) -> None:
        """Refuse patterns that are none, and to choose by a tag whose value is not mirrored."""
        given: object = self.redact
        if isinstance(given, str):
            message = f"--redact {given!r}: give several patterns, or a sequence of one"
            raise UsageError(message)
        redaction = self.redaction
        for key, value in self.tags:
            tagged = {"Tags": [{"Key": key, "Value": value}]}
            if redaction.answer(tagged) != tagged:
                message = (
                    f"--tag {key}: its value counts as a secret, so jobs cannot be chosen by it"
                )
                raise UsageError(message)

    def _require_base(self) -> None:
        """Refuse an artifact base that the overlay cannot work on."""
        base = self.artifact_base
        if base is None or self.artifacts != "overlay":
            return
        if not _ARTIFACT_BASE.fullmatch(base) or ".." in base.split("/"):
            message = (
                f"--artifact-base {base!r}: give an absolute path, file:///, s3://, gs:// or"
                " wasbs://, without '?', '#' or '..'"
            )
            raise UsageError(message)
        try:
            overlaid_below(base, _FOLDER)
        except JobError as error:
            message = f"--artifact-base {base!r}: {error}"
            raise UsageError(message) from error


def each_place(**options: Any) -> tuple[SyncOptions, ...]:
    """Make the options of each account and Region.

    Parameters
    ----------
    **options
        The fields of :class:`SyncOptions`; of ``region`` and ``assume_role`` there may be several.

    Returns
    -------
    tuple of SyncOptions
        One for each role in each Region; at least one.

    Raises
    ------
    UsageError
        When a value cannot be understood.
    """
    if options.get("restore") and not options.get("names"):
        message = "--restore needs names: it brings back the runs of the jobs that are named"
        raise UsageError(message)
    regions, roles = _several(options.get("region")), _several(options.get("assume_role"))
    return tuple(
        SyncOptions(**{**options, "region": region, "assume_role": role})
        for role in roles
        for region in regions
    )


def one_place(**options: Any) -> SyncOptions:
    """Make the options of the one account and Region that something is for.

    Parameters
    ----------
    **options
        As :func:`each_place` takes them.

    Raises
    ------
    UsageError
        When a value cannot be understood, or there are several accounts or Regions.
    """
    places = each_place(**options)
    if len(places) > 1:
        message = "this is for one account and Region: give one --region, and one --assume-role"
        raise UsageError(message)
    return places[0]


def _several(given: str | Iterable[str] | None) -> tuple[str | None, ...]:
    """Give each value once; none is boto3's own choice."""
    each = (given,) if isinstance(given, str) else given or ()
    return tuple(dict.fromkeys(each)) or (None,)


def _require_known(option: str, given: Iterable[str], known: Iterable[str]) -> None:
    unknown = [value for value in given if value not in set(known)]
    if unknown or not tuple(given):
        message = f"{option} {', '.join(unknown) or repr('')}: choose from {', '.join(known)}"
        raise UsageError(message)
