"""What is kept for the pages of lineage is bounded, however many jobs come."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.lineage import Node, reads, writes
from mlflow_smwatch.engine.lineage_pages import LineagePages
from mlflow_smwatch.tracking.store import Tracking, open_tracking
from tests.jobs import arn
from tests.unit.jobs import completed_job

MOST = 100
"""Parts, of which a job has six."""


@pytest.fixture
def tracking(empty_database: Path) -> Tracking:
    """Open an empty store."""
    return open_tracking(f"sqlite:///{empty_database}")


def job(number: int, model: str = "none") -> Job:
    """Make a job that has read a model and made one."""
    own = arn(f"job-{number}")
    made = writes(own, Node(id=f"s3://models/{number}.tar.gz", kind="model-data"))
    read = reads(own, Node(id=f"s3://models/{model}.tar.gz", kind="model-data"))
    return completed_job(arn=Arn.parse(own), name=f"job-{number}", lineage=made + read)


def test_the_latest_is_known(tracking: Tracking) -> None:
    """Jobs of long ago are forgotten, and no page is drawn again for what it has lost."""
    pages = LineagePages(tracking, most_parts=MOST)
    for number in range(100):
        pages.page(job(number, model=f"{number - 1}"), f"run-{number}")
    page = pages.page(job(100, model="99"), "run-100")
    assert page
    assert arn("job-95") in page
    assert arn("job-5") not in page
    again = dict(pages.outdated())
    assert "run-99" in again
    assert arn("job-100") in again["run-99"]
    assert "run-5" not in again
    assert dict(pages.outdated()) == {}


def test_who_tells_keeps_no_books(tracking: Tracking) -> None:
    """Each job is told once; whoever is told looks after the pages."""
    worker, coordinator = LineagePages(tracking), LineagePages(tracking)
    worker.begin_to_tell()
    assert worker.page(job(1), "run-1")
    assert worker.page(job(2, model="1"), "run-2")
    told = worker.told()
    assert [each.run_id for each in told] == ["run-1", "run-2"]
    assert worker.told() == ()
    assert dict(worker.outdated()) == {}
    coordinator.enter_told(told)
    assert list(dict(coordinator.outdated())) == ["run-1"]
