"""What is new of a job's run, its points apart."""

from __future__ import annotations

from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import DAY_MS
from mlflow_smwatch.engine.news import has_moved_far

BEGIN_MS = 1_700_000_000_000


def read_to(moment_ms: int | None) -> Watermark:
    return Watermark(made_ms=BEGIN_MS, read_to_ms=moment_ms)


def test_a_day_without_a_point_is_noted() -> None:
    """Else what never has a point is asked for from its beginning in each pass."""
    assert has_moved_far(read_to(BEGIN_MS), read_to(BEGIN_MS + DAY_MS + 1))
    assert not has_moved_far(read_to(BEGIN_MS), read_to(BEGIN_MS + DAY_MS))
    assert not has_moved_far(read_to(None), read_to(BEGIN_MS + 2 * DAY_MS))
    assert not has_moved_far(read_to(BEGIN_MS), read_to(None))
