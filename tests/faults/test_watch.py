"""A watch that goes on through bad days: nothing that happened in them is passed over."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from itertools import count

import pytest

from mlflow_smwatch.engine.following import Listener
from mlflow_smwatch.watch import watch
from tests.sync.conftest import Mirror

LIST_PROCESSING = "sagemaker:ListProcessingJobs"


def asked_since(mirror: Mirror) -> list[datetime]:
    """Tell from when on each pass has listed processing jobs."""
    return [
        datetime.fromtimestamp(each.parameters["LastModifiedTimeAfter"], tz=timezone.utc)
        for each in mirror.account.requests
        if each.operation == LIST_PROCESSING
    ]


@pytest.mark.parametrize(
    ("code", "is_asked_again"), [("InternalFailure", True), ("AccessDeniedException", False)]
)
def test_a_kind_that_could_not_be_listed(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, code: str, *, is_asked_again: bool
) -> None:
    """The next pass asks for the same time again, not only for what came since."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    faults = mirror.account.faults
    faults.fail(LIST_PROCESSING, code=code, status=500 if is_asked_again else 400)
    stopped, passes = threading.Event(), count(1)

    def ended(*_: object) -> None:
        if next(passes) == 3:
            stopped.set()

    options = mirror.options(kinds=("training-job", "processing-job"), since="3d")
    listener = Listener(ended=ended)
    watch([options], interval_s=0.1, queue_url=None, stopped=stopped, listener=listener)
    first, second, third = asked_since(mirror)
    assert (second - first < timedelta(minutes=1)) == is_asked_again
    assert third - first > timedelta(days=2)
