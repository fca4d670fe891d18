"""How far the streams of one source are read: which are read on, and which are noted no more.

An endpoint has a stream for each instance that it ever had. One that grew silent long ago is noted
no more, and neither read again nor counted, so that there is always room for what comes. In place
of all their notes one moment is kept, up to which each stream that was there then had been read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mlflow_smwatch.core.further_logs import FurtherStream
from mlflow_smwatch.core.log_streams import LAG_MS, START, LogStream, StreamPosition

STREAMS_LIMIT = 100
"""How many streams of one source are read for one run at a time, and are noted for good."""


def stream_id(source: str, stream: FurtherStream) -> str:
    """Name a stream in the mirror's notes."""
    return f"{source}:{stream.place}"


def is_quiet(stream: LogStream, read: StreamPosition, now_ms: int) -> bool:
    """Whether a stream has had no event for long since it was read, as far as AWS tells."""
    if read == START or stream.last_event_ms is None:
        return False
    return stream.last_event_ms <= read.timestamp_ms < now_ms - LAG_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamNotes:
    """What is noted of one source's streams.

    Attributes
    ----------
    source
        Name of the source.
    read
        Id of a stream → how far it is read.
    left_ms
        Up to when all streams made by then are read that are noted no more.
    """

    source: str
    read: Mapping[str, StreamPosition]
    left_ms: int = START.timestamp_ms

    @classmethod
    def of(cls, source: str, positions: Mapping[str, StreamPosition]) -> StreamNotes:
        """Take the notes of one source from those of a run."""
        read = {note: each for note, each in positions.items() if note.startswith(f"{source}:")}
        left = read.pop(_left_id(source), START)
        return cls(source=source, read=read, left_ms=left.timestamp_ms)

    def position(self, stream: FurtherStream) -> StreamPosition:
        """Tell how far a stream is read."""
        noted = self.read.get(stream_id(self.source, stream))
        if noted is None and stream.stream.created_ms <= self.left_ms:
            return StreamPosition(self.left_ms + 1, 0)
        return noted or START

    def has(self, stream: FurtherStream) -> bool:
        """Whether a stream is noted."""
        return stream_id(self.source, stream) in self.read

    def chosen(
        self, streams: Iterable[FurtherStream], now_ms: int
    ) -> tuple[tuple[FurtherStream, ...], int]:
        """Choose the streams that are read: those that are noted, then others from the earliest.

        Parameters
        ----------
        streams
            Those that the source means.
        now_ms
            The present.

        Returns
        -------
        tuple
            The streams, the earliest first, and how many are left out, as so many others may grow.
        """
        ordered = sorted(
            {each.place: each for each in streams}.values(),
            key=lambda each: (each.stream.created_ms, each.place),
        )
        growing = [each for each in ordered if not self._is_quiet(each, now_ms)]
        new = [each for each in growing if not self.has(each)]
        room = max(0, STREAMS_LIMIT - (len(growing) - len(new)))
        taken = {each.place for each in new[:room]}
        read = tuple(each for each in ordered if self.has(each) or each.place in taken)
        return read, max(0, len(new) - room)

    def silent(self, streams: Iterable[FurtherStream], now_ms: int) -> Collection[str]:
        """Tell which streams need no note any more: where there are too many, the quiet ones.

        Parameters
        ----------
        streams
            All that the source means, each read to its end.
        now_ms
            The present.
        """
        if len(self.read) <= STREAMS_LIMIT:
            return ()
        there = {stream_id(self.source, each): each.stream for each in streams}
        return [note for note in self.read if self._is_over(note, there.get(note), now_ms)]

    def left_after(self, silent: Iterable[str]) -> dict[str, StreamPosition]:
        """Give the note that takes the place of others."""
        moments = [self.read[note].timestamp_ms for note in silent]
        return {_left_id(self.source): StreamPosition(max(self.left_ms, *moments), 0)}

    def _is_over(self, note: str, stream: LogStream | None, now_ms: int) -> bool:
        """Whether a stream is gone, or quiet and older than what would stand for it."""
        read = self.read[note]
        if stream is None:
            return read.timestamp_ms < now_ms - LAG_MS
        return stream.created_ms <= read.timestamp_ms and is_quiet(stream, read, now_ms)

    def _is_quiet(self, stream: FurtherStream, now_ms: int) -> bool:
        return is_quiet(stream.stream, self.position(stream), now_ms)


def _left_id(source: str) -> str:
    """Name what stands for streams that are noted no more; no stream's group is empty."""
    return f"{source}:"
