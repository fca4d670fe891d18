"""Hosts that are started anew while a mirror follows their job: no line lost, none out of order."""

from __future__ import annotations

from mlflow_smwatch.engine.mirror import Mirror as Engine
from mlflow_smwatch.report import SyncReport
from tests.jobs import MINUTE_MS, Events, job_answer, moment, now_ms, put_log
from tests.sync.conftest import EVENTS, STREAMS, Mirror

CREATED_MS = now_ms() - 10 * MINUTE_MS
EPOCH_S = CREATED_MS // 1000


class Follower:
    """A mirror that goes on from pass to pass, as a watch does.

    Parameters
    ----------
    mirror
        Account and store.
    slack_s
        How old the newest event of a live stream may be for the stream to count as read.
    """

    def __init__(self, mirror: Mirror, slack_s: float = 1) -> None:
        options = mirror.options(artifacts="none", settle_s=0)
        self._account = mirror.account
        self._engine = Engine(options, slack_s=slack_s)

    def look(self) -> SyncReport:
        """Make a pass; the account's calls are those of this pass afterwards."""
        self._account.reset_calls()
        return self._engine.follow(since=moment(CREATED_MS), sweep=False)


def losses(first: int, count: int, start_ms: int) -> Events:
    """Give lines whose values are their numbers, a second apart."""
    return [(start_ms + n * 1000, f"value={first + n}") for n in range(count)]


def numbered(mirror: Mirror) -> list[tuple[int, float]]:
    """Give steps and values of the job's metric, in order of the steps."""
    return sorted((step, value) for _, step, value in mirror.series("job")["loss"])


def in_order(count: int) -> list[tuple[int, float]]:
    """Say what the steps and values are if each line was counted once, in its order."""
    return [(n, float(n)) for n in range(count)]


def test_the_first_line_comes_long_after_the_status(mirror: Mirror) -> None:
    """Passes that saw the new status before the new stream do not forget to look for it."""
    mirror.account.put_training_job(job_answer("job", created_ms=CREATED_MS))
    put_log(mirror.account, "job", losses(0, 5, CREATED_MS), epoch_s=EPOCH_S)
    follower = Follower(mirror)
    follower.look()
    for status in ("Restarting", "Training"):
        mirror.account.move_training_job("job", secondary_status=status)
        follower.look()
        follower.look()
    assert numbered(mirror) == in_order(5)
    put_log(mirror.account, "job", losses(5, 3, now_ms()), epoch_s=now_ms() // 1000)
    follower.look()
    follower.look()
    assert numbered(mirror) == in_order(8)


def test_a_new_stream_while_the_old_one_is_not_read_to_its_end(mirror: Mirror) -> None:
    """What was left of the old stream comes before the new one's lines."""
    mirror.account.faults.page_size(EVENTS, 3)
    mirror.account.put_training_job(job_answer("job", created_ms=CREATED_MS))
    put_log(mirror.account, "job", losses(0, 8, CREATED_MS), epoch_s=EPOCH_S)
    restarted_ms = CREATED_MS + MINUTE_MS
    follower = Follower(mirror, slack_s=60)
    follower.look()
    assert len(numbered(mirror)) < 8
    put_log(mirror.account, "job", losses(8, 3, restarted_ms), epoch_s=restarted_ms // 1000)
    mirror.account.move_training_job("job", secondary_status="Restarting")
    follower.look()
    follower.look()
    assert numbered(mirror) == in_order(11)
    mirror.account.move_training_job("job", status="Completed")
    mirror.sync(settle_s=0)
    assert numbered(mirror) == in_order(11)
    assert mirror.is_final("job")


def test_streams_are_listed_until_the_restarted_host_has_its_own(mirror: Mirror) -> None:
    """One DescribeLogStreams in each pass until then, none in those after it."""
    mirror.account.put_training_job(job_answer("job", created_ms=CREATED_MS))
    put_log(mirror.account, "job", losses(0, 2, CREATED_MS), epoch_s=EPOCH_S)
    follower = Follower(mirror)
    follower.look()
    follower.look()
    assert mirror.account.calls[STREAMS] == 0
    for status in ("Restarting", "Training"):
        mirror.account.move_training_job("job", secondary_status=status)
        for _ in range(3):
            follower.look()
            assert mirror.account.calls[STREAMS] == 1
    put_log(mirror.account, "job", losses(2, 2, now_ms()), epoch_s=now_ms() // 1000 + 2)
    follower.look()
    for _ in range(3):
        follower.look()
        assert mirror.account.calls[STREAMS] == 0
        assert mirror.account.calls[EVENTS] == 1
    assert numbered(mirror) == in_order(4)
