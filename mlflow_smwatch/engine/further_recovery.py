"""What a run has of further logs beyond its watermark: it is met again, and not written again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mlflow_smwatch.core.further_logs import FurtherStream, is_in_stream
from mlflow_smwatch.core.series import Point
from mlflow_smwatch.engine.host_replay import ReplayedPage
from mlflow_smwatch.engine.written_logs import Written, missing


class Recovery:
    """The points that a run has beyond its watermark: they are there, and not written again.

    Until all of them can have been met again, nothing may be vouched for.

    Parameters
    ----------
    written
        Original → what is written.
    """

    def __init__(self, written: Mapping[str, Written]) -> None:
        self._written = written
        self._last_ms = {
            original: max(timestamp_ms for timestamp_ms, _ in points)
            for original, points in written.items()
            if points
        }

    @property
    def is_pending(self) -> bool:
        """Whether points are left that were not met again."""
        return any(points.total() for points in self._written.values())

    def unwritten(self, page: ReplayedPage) -> dict[str, Sequence[Point]]:
        """Give a page's points without those that are there."""
        return {
            original: list(missing(points, self._written[original]))
            if original in self._written
            else points
            for original, points in page.series.items()
        }

    def give_up(self, stream: FurtherStream, before_ms: float = math.inf) -> None:
        """Await no more points of a stream: those before a moment, or all at its end."""
        for original, last_ms in self._last_ms.items():
            if last_ms < before_ms and is_in_stream(original, stream):
                self._written[original].clear()
