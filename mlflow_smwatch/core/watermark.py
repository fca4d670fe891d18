"""The mirror's own notes on a run: what has been written, so that it is never written again.

A watermark is kept in the run's tag ``smwatch.state`` (continued in ``smwatch.state.1``, …) and is
sent with the last points that it vouches for. It is JSON with its own schema version.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT
from mlflow_smwatch.core.log_streams import StreamPosition
from mlflow_smwatch.core.visible import visible

STATE_TAG = "smwatch.state"
OPEN_MARK = '"final": false'
"""Stands in the tag's text exactly while the run is not final, so that a search can find it."""

_VERSION = 1
_SHOWN_LENGTH = 200
_POSITION_PARTS = 2
_WAY_OUT = "delete this tag, and the next pass reads the job anew, doubling nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """What the mirror knows of one run.

    Attributes
    ----------
    made_ms
        When the mirror made (or adopted) the run; decides between two mirrors.
    final
        True once nothing more will be read.
    adopted
        True for a run that the job logged itself.
    modified_ms
        LastModifiedTime of the job when it was last written.
    fingerprint
        Of the run record that was last written, None before that.
    source
        Where algorithm metrics come from; None until the first of them is written, and for a job
        whose metrics the user did not want.
    read_to_ms
        End of the last CloudWatch window whose points are all written.
    read_from_ms
        Where that reading began, of an endpoint that was older than what was to be read; else None.
    points
        Original key → number of its points that are written; 0 for a key that is claimed, so that
        its points are known for the mirror's own before the first of them is vouched for, and for a
        series of an endpoint that has none so far.
    keys
        Original key → MLflow key, where they differ.
    document
        Whether ``sagemaker/job.json`` was stored.
    streams
        Log stream (the part after ``<job>/``) → timestamp (ms) of the last event that was read, and
        how many events of exactly that timestamp were.
    findings
        Metric name → what its definition met in the lines read so far, by code → how often.
    logs_denied
        Whether the logs could not be read when they were looked at last: as long as that is so, the
        run stays open, also where CloudWatch was taken instead.
    further_streams
        The same as ``streams``, of logs besides those of the job's hosts; the names are those of
        :func:`~mlflow_smwatch.core.further_logs.stream_id`.
    alarms
        Original of an alarm's series → up to when (ms) the changes of its state are read.
    """

    made_ms: int
    final: bool = False
    adopted: bool = False
    modified_ms: int | None = None
    fingerprint: str | None = None
    source: str | None = None
    read_to_ms: int | None = None
    read_from_ms: int | None = None
    points: Mapping[str, int] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    document: bool = False
    streams: Mapping[str, Sequence[int]] = field(default_factory=dict)
    findings: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    logs_denied: bool = False
    further_streams: Mapping[str, Sequence[int]] = field(default_factory=dict)
    alarms: Mapping[str, int] = field(default_factory=dict)

    @property
    def positions(self) -> dict[str, StreamPosition]:
        """Log stream → how far it is read."""
        return {name: StreamPosition(*position) for name, position in self.streams.items()}

    @property
    def further_positions(self) -> dict[str, StreamPosition]:
        """Stream of further logs → how far it is read."""
        return {name: StreamPosition(*position) for name, position in self.further_streams.items()}

    @property
    def begun(self) -> bool:
        """Whether anything is written or read, so that another run needs a reading of its own."""
        read = self.points or self.streams or self.further_streams
        return bool(read) or self.read_to_ms is not None

    @property
    def given_keys(self) -> dict[str, str]:
        """Original key → MLflow key of every series that has points or is claimed."""
        return {original: self.keys.get(original, original) for original in self.points}

    @property
    def measured(self) -> frozenset[str]:
        """Original keys of the series that have points."""
        return frozenset(original for original, count in self.points.items() if count)

    def claiming(self, after: Watermark) -> Watermark:
        """Return the watermark with the keys of a later one claimed, none of its points."""
        points = dict.fromkeys(after.points, 0) | dict(self.points)
        return replace(self, points=points, keys=after.keys)

    def asked(self, originals: Iterable[str], keys: Mapping[str, str]) -> Watermark:
        """Return the watermark with series claimed that were read, whether they have points or not.

        Parameters
        ----------
        originals
            Of the series.
        keys
            Original key → MLflow key.
        """
        return self._counting(dict.fromkeys(originals, 0) | dict(self.points), keys)

    def advanced(self, counts: Mapping[str, int], keys: Mapping[str, str]) -> Watermark:
        """Return the watermark after further points.

        Parameters
        ----------
        counts
            Original key → number of points written now.
        keys
            Original key → MLflow key.
        """
        points = dict(self.points)
        for original, count in counts.items():
            if count:
                points[original] = points.get(original, 0) + count
        return self._counting(points, keys)

    def recounted(self, counts: Mapping[str, int], keys: Mapping[str, str]) -> Watermark:
        """Return the watermark of a run whose logs are read from the beginning again.

        Parameters
        ----------
        counts
            Original key → number of points that the run has.
        keys
            Original key → MLflow key.
        """
        counted = self._counting({**self.points, **counts}, keys)
        return replace(counted, streams={}, findings={})

    def _counting(self, points: Mapping[str, int], keys: Mapping[str, str]) -> Watermark:
        renamed = {
            original: keys[original]
            for original in points
            if keys.get(original, original) != original
        }
        return replace(self, points=points, keys={**self.keys, **renamed})

    def read_up_to(
        self,
        positions: Mapping[str, StreamPosition],
        findings: Mapping[str, Mapping[str, int]],
    ) -> Watermark:
        """Return the watermark after further log events.

        Parameters
        ----------
        positions
            Log stream → how far it is read now.
        findings
            What was met in the events read now.
        """
        streams = {**self.streams, **_furthest(positions, self.positions)}
        return replace(self, streams=streams, findings=self._having_met(findings))

    def read_further(
        self,
        positions: Mapping[str, StreamPosition],
        findings: Mapping[str, Mapping[str, int]],
    ) -> Watermark:
        """Return the watermark after further events of further logs, as :meth:`read_up_to`."""
        streams = {**self.further_streams, **_furthest(positions, self.further_positions)}
        return replace(self, further_streams=streams, findings=self._having_met(findings))

    def _having_met(self, findings: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
        met = {metric: dict(codes) for metric, codes in self.findings.items()}
        for metric, codes in findings.items():
            known = met.setdefault(metric, {})
            for code, count in codes.items():
                known[code] = known.get(code, 0) + count
        return met


def _furthest(
    positions: Mapping[str, StreamPosition], before: Mapping[str, StreamPosition]
) -> dict[str, list[int]]:
    """Write positions, none before what is read already."""
    furthest = {name: max(each, before.get(name, each)) for name, each in positions.items()}
    return {name: [each.timestamp_ms, each.events] for name, each in furthest.items()}


def to_tags(watermark: Watermark) -> dict[str, str]:
    """Write a watermark as tags, each within MLflow's limit for values.

    Returns
    -------
    dict[str, str]
        ``smwatch.state`` and as many numbered continuations as it takes.
    """
    further = dict(sorted(watermark.further_streams.items()))
    alarms = dict(sorted(watermark.alarms.items()))
    begun = {} if watermark.read_from_ms is None else {"read_from_ms": watermark.read_from_ms}
    text = json.dumps(
        {
            "version": _VERSION,
            "final": watermark.final,
            "made_ms": watermark.made_ms,
            "adopted": watermark.adopted,
            "modified_ms": watermark.modified_ms,
            "fingerprint": watermark.fingerprint,
            "source": watermark.source,
            "read_to_ms": watermark.read_to_ms,
            **begun,
            "points": dict(sorted(watermark.points.items())),
            "keys": dict(sorted(watermark.keys.items())),
            "document": watermark.document,
            "streams": dict(sorted(watermark.streams.items())),
            "findings": dict(sorted(watermark.findings.items())),
            "logs_denied": watermark.logs_denied,
            **({"further_streams": further} if further else {}),
            **({"alarms": alarms} if alarms else {}),
        }
    )
    parts = [text[at : at + TAG_VALUE_LIMIT] for at in range(0, len(text), TAG_VALUE_LIMIT)]
    names = [STATE_TAG, *(f"{STATE_TAG}.{number}" for number in range(1, len(parts)))]
    return dict(zip(names, parts, strict=True))


def from_tags(tags: Mapping[str, str]) -> Watermark | None:
    """Read the watermark of a run.

    What an earlier, longer watermark left in later parts stands behind the end of the JSON text
    and is not read.

    Returns
    -------
    Watermark or None
        None for a run without one.

    Raises
    ------
    JobError
        When it is not readable, or of another version of this package.
    """
    if STATE_TAG not in tags:
        return None
    text, number = tags[STATE_TAG], 1
    while (part := tags.get(f"{STATE_TAG}.{number}")) is not None:
        text, number = text + part, number + 1
    try:
        content, _ = json.JSONDecoder().raw_decode(text)
        version = content.pop("version")
        _require_known(version, content)
        _require_types(content)
        return Watermark(**content)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        message = f"the run's tag {STATE_TAG} is not readable: {_WAY_OUT}"
        raise JobError(message) from error


def _require_known(version: object, content: Mapping[str, object]) -> None:
    """Refuse a state that another version of this package wrote."""
    unknown = content.keys() - {each.name for each in fields(Watermark)}
    if version == _VERSION and not unknown:
        return
    found = f"version {version}" + (f" with {', '.join(sorted(unknown))}" if unknown else "")
    found = visible(found)[:_SHOWN_LENGTH]
    message = (
        f"the run was written by a newer or an older smwatch (state {found}; this one reads"
        f" version {_VERSION}): upgrade smwatch, or use the one that wrote it"
    )
    raise JobError(message)


def _require_types(content: Mapping[str, object]) -> None:
    """Refuse a state that somebody has edited: what it holds is used without a further look."""
    for name, value in content.items():
        if not _FITS[name](value):
            message = f"{name} is not what it was"
            raise TypeError(message)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _or_none(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or fits(value)


def _each(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


def _is_position(value: object) -> bool:
    return isinstance(value, list) and len(value) == _POSITION_PARTS and all(map(_is_number, value))


_FITS: Mapping[str, Callable[[object], bool]] = {
    "made_ms": _is_number,
    "final": _is_flag,
    "adopted": _is_flag,
    "modified_ms": _or_none(_is_number),
    "fingerprint": _or_none(_is_text),
    "source": _or_none(_is_text),
    "read_to_ms": _or_none(_is_number),
    "read_from_ms": _or_none(_is_number),
    "points": _each(_is_number),
    "keys": _each(_is_text),
    "document": _is_flag,
    "streams": _each(_is_position),
    "findings": _each(_each(_is_number)),
    "logs_denied": _is_flag,
    "further_streams": _each(_is_position),
    "alarms": _each(_is_number),
}
