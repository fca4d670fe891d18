"""``[[source]]``: what else of CloudWatch the user attaches to the runs of jobs.

:mod:`.source_tables` reads it from a file; here is what of it belongs to a job.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mlflow_smwatch.core import console
from mlflow_smwatch.core.job import FurtherLogs, Job, MetricDefinition
from mlflow_smwatch.core.job_choice import ANY_VALUE, JobChoice, name_match
from mlflow_smwatch.core.secret_texts import HIDDEN
from mlflow_smwatch.core.series import AVERAGE, Series, further_original
from mlflow_smwatch.core.templates import Filling, UnfilledError, filled, rewritten

_DIMENSION_VALUE = re.compile(r"(?=.*[!-~])[ -~]{1,1024}")
"""``Dimension`` in the API reference of CloudWatch."""

_GROUP_NAME = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
"""``CreateLogGroup`` in the API reference of CloudWatch Logs."""

_STREAM_NAME = re.compile(r"[^:*]{1,512}")
"""``DescribeLogStreams`` in the API reference of CloudWatch Logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSeries:
    """One metric of a source.

    Attributes
    ----------
    key
        What its MLflow key is made of, after the source's name and a slash; places are filled.
    namespace, metric_name, stat
        As CloudWatch has it.
    dimensions
        Name and value; places of the value are filled.
    """

    key: str
    namespace: str
    metric_name: str
    stat: str = AVERAGE
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Series and log groups that belong to some jobs.

    Attributes
    ----------
    name
        What it is called in keys, tags and messages.
    kinds
        Words of the kinds of jobs that it is for; empty for all.
    name_matches
        Pattern of RE2 that the whole name of a job must match; None for any name.
    tag
        Resource tags that a job must have, as key and value; ``*`` is any value.
    series
        CloudWatch series.
    log_groups
        Names of log groups; places are filled.
    streams
        Which streams of them: names in which ``*`` stands for anything; places are filled.
    definitions
        Metrics that are read from these streams.
    """

    name: str
    kinds: tuple[str, ...] = ()
    name_matches: str | None = None
    tag: tuple[tuple[str, str], ...] = ()
    series: tuple[SourceSeries, ...] = ()
    log_groups: tuple[str, ...] = ()
    streams: tuple[str, ...] = (ANY_VALUE,)
    definitions: tuple[MetricDefinition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What a source attaches to a job.

    Attributes
    ----------
    series
        CloudWatch series.
    facts
        Tags, names without ``sagemaker.``.
    logs
        Logs that metrics are read from; None for none.
    remark
        Why nothing is attached of a source that was meant for the job, in words.
    """

    series: tuple[Series, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    logs: FurtherLogs | None = None
    remark: str | None = None


def read_sources(where: str, tables: object) -> tuple[Source, ...]:
    """Read the tables ``[[source]]`` of a configuration file.

    Parameters
    ----------
    where
        The file, for messages.
    tables
        What the file has under ``source``: a list of tables.

    Raises
    ------
    UsageError
        When a table cannot be understood.
    """
    from mlflow_smwatch.core.source_tables import sources_of

    return sources_of(where, tables)


def is_meant(source: Source, job: Job) -> bool:
    """Tell whether a source is for a job: its kind, its name and its tags are as they must be."""
    choice = JobChoice(kinds=source.kinds, pattern=source.name_matches, tags=source.tag)
    return choice.takes(job.kind.word, job.name, dict(job.tags))


def attachment(source: Source, job: Job) -> Attachment | None:
    """Tell what a source attaches to a job.

    Parameters
    ----------
    source
        The source.
    job
        The job.

    Returns
    -------
    Attachment or None
        None where it is not for the job. All of it, or a remark: a source of which a place cannot
        be filled attaches nothing.
    """
    if not is_meant(source, job):
        return None
    filling = _filling(source, job)
    try:
        series = tuple(_series(source, each, filling) for each in source.series)
        groups = tuple(_group(each, filling) for each in source.log_groups)
        streams = tuple(_stream(each, filling) for each in source.streams) if groups else ()
    except UnfilledError as error:
        return Attachment(remark=f"the source {source.name} is not attached: {error}")
    return Attachment(
        series=series,
        facts=tuple(_facts(source, job, groups, streams)),
        logs=_logs(source, groups, streams),
    )


def group_patterns(sources: Iterable[Source]) -> tuple[str, ...]:
    """Give the log groups of sources as IAM takes them, sorted: each place is a ``*``.

    Parameters
    ----------
    sources
        Of which each may have groups, which are linked, and definitions, for which they are read.
    """
    read = (group for each in sources if each.definitions for group in each.log_groups)
    return tuple(sorted({rewritten(group, lambda _: "*") for group in read}))


def _filling(source: Source, job: Job) -> Filling:
    match = name_match(source.name_matches, job.name) if source.name_matches else None
    groups = match.groups() if match else ()
    return Filling(
        fields={
            "name": job.name,
            "arn": str(job.arn),
            "account": job.arn.account,
            "region": job.arn.region,
        },
        tags={key: value for key, value in job.tags if value != HIDDEN},
        groups=[None if each is None else each.decode() for each in groups],
    )


def _series(source: Source, series: SourceSeries, filling: Filling) -> Series:
    return Series(
        original=further_original(f"{source.name}/{filled(series.key, filling)}"),
        namespace=series.namespace,
        metric_name=series.metric_name,
        dimensions=tuple((name, _value(name, text, filling)) for name, text in series.dimensions),
        stat=series.stat,
    )


def _value(name: str, text: str, filling: Filling) -> str:
    value = filled(text, filling)
    if not _DIMENSION_VALUE.fullmatch(value):
        message = f"{value!r} is no value of the dimension {name} (1 to 1,024 characters of ASCII)"
        raise UnfilledError(message)
    return value


def _group(text: str, filling: Filling) -> str:
    group = filled(text, filling)
    if not _GROUP_NAME.fullmatch(group):
        message = f"{group!r} is no name of a log group"
        raise UnfilledError(message)
    return group


def _stream(pattern: str, filling: Filling) -> tuple[str, ...]:
    """Give the parts of a name between its stars; no name of a stream holds a star or a colon."""
    parts = tuple(filled(part, filling) for part in pattern.split(ANY_VALUE))
    if not _STREAM_NAME.fullmatch("".join(parts) or "any"):
        message = f"{ANY_VALUE.join(parts)!r} is no name of a log stream"
        raise UnfilledError(message)
    return parts


def _logs(
    source: Source, groups: tuple[str, ...], streams: tuple[tuple[str, ...], ...]
) -> FurtherLogs | None:
    if not groups or not source.definitions:
        return None
    named = tuple(
        MetricDefinition(name=f"{source.name}/{each.name}", regex=each.regex)
        for each in source.definitions
    )
    return FurtherLogs(source=source.name, groups=groups, streams=streams, definitions=named)


def _facts(
    source: Source, job: Job, groups: tuple[str, ...], streams: tuple[tuple[str, ...], ...]
) -> Iterator[tuple[str, str]]:
    """Name and link the log groups; those after the first have a number."""
    prefix = streams[0][0] if len(streams) == 1 else ""
    for number, group in enumerate(groups, 1):
        suffix = "" if number == 1 else f"_{number}"
        url = console.log_group_url(job.arn.partition, job.arn.region, group, prefix or None)
        yield f"source.{source.name}.log_group{suffix}", group
        if url:
            yield f"source.{source.name}.logs_url{suffix}", url
