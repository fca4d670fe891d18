"""Streams of many finished jobs from one listing: the same as job by job, with far fewer calls."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlflow_smwatch.aws import log_listing
from mlflow_smwatch.aws.log_listing import WORTHWHILE, CallAllowance, StreamListings
from mlflow_smwatch.aws.log_names import NamedStreams
from mlflow_smwatch.aws.logs import LogReader
from mlflow_smwatch.aws.session import connect
from mlflow_smwatch.core.describe import training_job
from mlflow_smwatch.core.log_streams import made_for
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import (
    HOUR_MS,
    MINUTE_MS,
    Events,
    arn,
    job_answer,
    moment,
    now_ms,
    put_log,
    replayed,
)
from tests.jobs import NAMESPACE as GROUP
from tests.sync.conftest import EVENTS, STREAMS, Mirror

NOW_MS = now_ms()
VALUE = {"loss": r"value=(\S+)"}


def enough() -> CallAllowance:
    """Allow as much as any test needs."""
    return CallAllowance(jobs=10_000)


def go_on() -> bool:
    """Never stop."""
    return False


def listings_asked(account: EmulatedAccount) -> list[dict[str, Any]]:
    """Give the requests for pages of a whole group."""
    asked = [each.parameters for each in account.requests if each.operation == STREAMS]
    return [each for each in asked if "logStreamNamePrefix" not in each]


def prefixes_asked(account: EmulatedAccount) -> set[str]:
    """Give the prefixes of names that were asked for."""
    asked = [each.parameters for each in account.requests if each.operation == STREAMS]
    return {each["logStreamNamePrefix"] for each in asked if "logStreamNamePrefix" in each}


def put_finished(
    account: EmulatedAccount, name: str, ended_ms: int, *, lines: int = 3, hosts: int = 1
) -> dict[str, Events]:
    """Put a job that took an hour and logged until its end; give its events by host."""
    created_ms = ended_ms - HOUR_MS
    account.put_training_job(
        job_answer(name, created_ms=created_ms, ended_ms=ended_ms, hosts=hosts)
    )
    every_ms = HOUR_MS // lines
    written = {
        f"algo-{host}": [
            (ended_ms - 1000 - n * every_ms, f"value={n}.{host}") for n in reversed(range(lines))
        ]
        for host in range(1, hosts + 1)
    }
    for host, events in written.items():
        put_log(account, name, events, host=host, epoch_s=created_ms // 1000 + 1)
    return written


class Many:
    """Jobs that finished in the last days, the newest just now.

    Some names begin with others; unless they are alike, few begin with the same letter.
    """

    def __init__(self, account: EmulatedAccount, count: int, *, alike: bool = True) -> None:
        step_ms = int(5 * 24 * HOUR_MS / count)
        names = [f"job-{n // 2}-{n % 2}" if n % 4 else f"job-{n // 4}" for n in range(count)]
        self.names = [
            name if alike else f"{chr(ord('a') + n % 26)}-{name}" for n, name in enumerate(names)
        ]
        self.written = {
            name: put_finished(
                account, name, NOW_MS - 5 * MINUTE_MS - place * step_ms, hosts=1 + place % 10 // 9
            )
            for place, name in enumerate(self.names)
        }
        self.streams = sum(map(len, self.written.values()))


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("count", [55, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_finished_job_costs_two_pages_and_a_fiftieth_of_a_listing(
    mirror: Mirror, count: int, alike: bool
) -> None:
    """Whether it ended days or minutes ago; the forecast knew it, and the next pass is idle."""
    many = Many(mirror.account, count, alike=alike)
    forecast = mirror.sync(dry_run=True, since="30d")
    report = mirror.sync(since="30d", artifacts="none")
    assert report.failed == []
    assert mirror.account.calls[EVENTS] == 2 * many.streams
    assert mirror.account.calls[STREAMS] == -(-many.streams // 50)
    for operation in (EVENTS, STREAMS):
        assert forecast.to_dict()["aws_calls"][operation] == mirror.account.calls[operation]
    for name in many.names[:: count // 50]:
        assert mirror.series(name) == replayed(VALUE, many.written[name])
    mirror.sync(since="30d", artifacts="none")
    assert not mirror.account.calls[STREAMS] + mirror.account.calls[EVENTS]


def test_streams_whose_times_lag_behind_are_found_by_name(mirror: Mirror) -> None:
    """Whether AWS knows no last event of theirs or an early one: every point is there."""
    many = Many(mirror.account, 40, alike=False)
    unknown, early = many.names[3:6], many.names[20:23]
    for name in unknown:
        mirror.account.faults.lag_last_events(f"{name}/algo-*")
    for name in early:
        first_ms = many.written[name]["algo-1"][0][0]
        mirror.account.faults.lag_last_events(f"{name}/algo-*", first_ms)
    mirror.sync(since="30d")
    assert prefixes_asked(mirror.account) == {f"{name}/" for name in (*unknown, *early)}
    assert len(listings_asked(mirror.account)) == 1
    for name in many.names:
        assert mirror.series(name) == replayed(VALUE, many.written[name])


def test_streams_of_jobs_whose_names_begin_alike(mirror: Mirror) -> None:
    """Silent restarts and times that lag are no matter: each stream that there is has a name."""
    many = Many(mirror.account, 40)
    for name in many.names[::3]:
        ended_ms = NOW_MS - 24 * HOUR_MS - many.names.index(name) * MINUTE_MS
        again = [(ended_ms + n, f"value={n}") for n in range(3)]
        put_log(mirror.account, name, again, epoch_s=ended_ms // 1000)
        many.written[name]["algo-1"] += again
        mirror.account.faults.lag_last_events(f"{name}/algo-*")
    mirror.sync(since="30d")
    assert mirror.account.calls[STREAMS] == 2
    assert prefixes_asked(mirror.account) == {"job-"}
    for name in many.names:
        values = sorted(value for *_, value in mirror.series(name)["loss"])
        assert values == sorted(float(text[6:]) for _, text in many.written[name]["algo-1"])


def test_jobs_without_streams_cost_no_listing_of_their_own(mirror: Mirror) -> None:
    """What the listing has gone past is all there is: CloudWatch is asked, as after their own."""
    written, silent = {}, [f"job-silent-{n}" for n in range(20)]
    for n, name in enumerate(silent, start=1):
        ended_ms = NOW_MS - n * 2 * HOUR_MS
        written[f"job-{n}"] = put_finished(mirror.account, f"job-{n}", ended_ms)
        answer = job_answer(name, created_ms=ended_ms - HOUR_MS, ended_ms=ended_ms)
        mirror.account.put_training_job(answer)
    forecast = mirror.sync(dry_run=True, since="30d", artifacts="none")
    report = mirror.sync(since="30d", artifacts="none")
    assert report.failed == []
    assert mirror.account.calls[STREAMS] == forecast.aws_calls[STREAMS] == 1
    for name, events in written.items():
        assert mirror.series(name) == replayed(VALUE, events)
    alone = mirror.beside()
    alone.sync(silent[0], artifacts="none")
    assert alone.account.calls[STREAMS] == 1
    one = alone.content()[silent[0]]
    assert mirror.content()[silent[0]] == one


def test_streams_that_may_still_come_are_looked_for_by_name(account: EmulatedAccount) -> None:
    """An empty answer counts once a job has been over for a while; each is given once."""
    put_log(account, "job-99", [(NOW_MS, "x")])
    named = NamedStreams(connect(None, None, 4))
    named.prepare(GROUP, [f"job-{n}" for n in range(WORTHWHILE)])
    asked = [("job-1", HOUR_MS), ("job-1", HOUR_MS), ("job-2", MINUTE_MS)]
    found = [named.find(GROUP, job, now_ms() - ago, enough(), go_on) for job, ago in asked]
    assert found == [(), None, None]
    assert account.calls[STREAMS] == 1


def test_a_job_of_an_earlier_page_is_still_found(account: EmulatedAccount) -> None:
    """Others are looked for by then, whose names begin alike: their listing is not its own."""
    put_log(account, "alpha-1", [(NOW_MS, "x")])
    put_log(account, "alps-1", [(NOW_MS, "x")])
    named = NamedStreams(connect(None, None, 4))
    named.prepare(GROUP, [f"alpha-{n}" for n in range(WORTHWHILE)])
    named.prepare(GROUP, [f"alps-{n}" for n in range(WORTHWHILE)])
    for job in ("alps-1", "alpha-1"):
        found = named.find(GROUP, job, NOW_MS - HOUR_MS, enough(), go_on)
        assert found is not None
        assert len(found) == 1
        assert named.find(GROUP, job, NOW_MS - HOUR_MS, enough(), go_on) is None


def test_threads_share_a_listing_by_name(account: EmulatedAccount) -> None:
    """Also while the next jobs are told: each page is asked for once, no stream comes twice."""
    seed(account, 420)
    named = NamedStreams(connect(None, None, 8))
    names = [f"job-{n:04}" for n in range(420)]

    def find(n: int) -> int:
        if n % 30 == 0:
            named.prepare(GROUP, names[n : n + 100])
        found = named.find(GROUP, names[n], NOW_MS - HOUR_MS, enough(), go_on)
        return -1 if found is None else len(found)

    named.prepare(GROUP, names)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(find, range(420))) == [1] * 420
    asked = [each.parameters for each in account.requests if each.operation == STREAMS]
    pages = [(each["logStreamNamePrefix"], each.get("nextToken")) for each in asked]
    assert len(pages) == len(set(pages)) < 20


def test_streams_of_others_among_the_names(mirror: Mirror) -> None:
    """The calls are at most twice those by name; what was gone past by then is known."""
    many = Many(mirror.account, 12)
    for n in range(50 * 12):
        put_log(mirror.account, f"job-1-other-{n}", [(NOW_MS, "x")])
    mirror.sync(since="30d")
    assert mirror.account.calls[STREAMS] <= 2 * len(many.names)
    for name in many.names:
        assert mirror.series(name) == replayed(VALUE, many.written[name])


def test_few_jobs_and_jobs_by_name_are_listed_one_by_one(mirror: Mirror) -> None:
    """A listing would not pay, or go back through everything for one old job."""
    many = Many(mirror.account, WORTHWHILE + 2)
    mirror.sync(*many.names)
    assert listings_asked(mirror.account) == []
    few = mirror.beside()
    few.sync(since=moment(NOW_MS - 24 * HOUR_MS).isoformat())
    assert 0 < few.account.calls[STREAMS] < WORTHWHILE
    assert listings_asked(few.account) == []


def test_streams_of_others_cost_no_more_than_the_jobs(mirror: Mirror) -> None:
    """Where thousands of newer streams are in the way, the calls are twice those by name."""
    old = Many(mirror.account, WORTHWHILE, alike=False)
    for n in range(50 * WORTHWHILE + 1):
        put_log(mirror.account, f"other-{n}", [(NOW_MS + n, "x")])
    mirror.sync(since="30d")
    assert len(listings_asked(mirror.account)) == WORTHWHILE
    assert mirror.account.calls[STREAMS] == 2 * WORTHWHILE
    for name in old.names:
        assert mirror.series(name) == replayed(VALUE, old.written[name])


def test_a_denied_listing_warns_as_a_denied_job(mirror: Mirror) -> None:
    """One call more than without listings, and the same words for each job."""
    many = Many(mirror.account, 12)
    mirror.account.faults.deny(STREAMS)
    report = mirror.sync(metrics="logs", since="30d")
    assert mirror.account.calls[STREAMS] == len(many.names) + 1
    warned = Counter(each.warning for each in report.warnings if STREAMS in each.warning)
    alone = mirror.beside().sync(many.names[0], metrics="logs")
    (expected,) = (each.warning for each in alone.warnings if STREAMS in each.warning)
    assert warned == {expected: len(many.names)}


def test_a_listing_that_fails_leaves_the_jobs_to_their_names(mirror: Mirror) -> None:
    """An emulator or a proxy may not know the order; nothing is lost."""
    many = Many(mirror.account, 12)
    mirror.account.faults.fail(STREAMS, code="InvalidParameterException")
    report = mirror.sync(since="30d")
    assert report.failed == []
    assert mirror.account.calls[STREAMS] == 1 + len(many.names)
    for name in many.names:
        assert mirror.series(name) == replayed(VALUE, many.written[name])


@pytest.fixture
def listings(account: EmulatedAccount) -> StreamListings:
    """List groups of the account, which is empty at first."""
    assert account.endpoint
    return StreamListings(connect(None, None, 8))


def seed(account: EmulatedAccount, count: int) -> None:
    """Store streams of one event each, the newest of job-0, a minute apart."""
    for n in range(count):
        put_log(account, f"job-{n:04}", [(NOW_MS - n * MINUTE_MS, "x")])


def test_threads_share_the_pages(account: EmulatedAccount, listings: StreamListings) -> None:
    """Whatever the order in which jobs are asked for, each page is asked for once."""
    seed(account, 420)
    listings.prepare(GROUP, [NOW_MS])
    begun = threading.Barrier(8)

    def find(n: int) -> int:
        if n % 50 == 0:
            begun.wait(30)
        since_ms = NOW_MS - n * MINUTE_MS
        found = listings.find(GROUP, f"job-{n:04}", since_ms, enough(), go_on)
        return len(found.streams) if found else 0

    with ThreadPoolExecutor(8) as pool:
        first = list(pool.map(find, range(0, 400, 50)))
        rest = list(pool.map(lambda n: find(n) if n % 50 else 1, reversed(range(400))))
    assert first + rest == [1] * 408
    tokens = [each.get("nextToken") for each in listings_asked(account)]
    assert len(tokens) == len(set(tokens)) == 9


def test_who_needs_a_page_that_is_long_in_coming_waits_alone(account: EmulatedAccount) -> None:
    """Neither who prepares listings waits for it, nor who looks into that of another group."""
    seed(account, 3)
    account.put_log_events("other-group", "job/algo-1-1", [(NOW_MS, "x")], publish=False)
    asked, go = threading.Event(), threading.Event()

    def hold(params: dict[str, Any], **_: Any) -> None:
        if params["logGroupName"] == GROUP:
            asked.set()
            assert go.wait(30)

    aws = connect(None, None, 8)
    aws.logs.meta.events.register("before-parameter-build.*.DescribeLogStreams", hold)
    listings = StreamListings(aws)

    def find(group: str, job: str) -> int:
        found = listings.find(group, job, NOW_MS - HOUR_MS, enough(), go_on)
        return len(found.streams) if found else 0

    listings.prepare(GROUP, [NOW_MS])
    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(find, GROUP, f"job-{n:04}") for n in range(2)]
        try:
            assert asked.wait(30)
            listings.prepare(GROUP, [NOW_MS - HOUR_MS])
            listings.prepare("other-group", [NOW_MS])
            assert find("other-group", "job") == 1
            assert not any(each.done() for each in slow)
        finally:
            go.set()
        assert [each.result() for each in slow] == [1, 1]
    assert account.calls[STREAMS] == 2


def test_no_page_is_asked_for_that_nobody_needs(
    account: EmulatedAccount, listings: StreamListings
) -> None:
    """Nor after a stop, nor beyond what may be spent."""
    seed(account, 420)
    listings.prepare(GROUP, [NOW_MS])
    allowance = CallAllowance(jobs=WORTHWHILE)
    stops = iter((False, False, True))

    def find(n: int, stopped: Callable[[], bool] = go_on) -> bool:
        since_ms = NOW_MS - n * MINUTE_MS
        return listings.find(GROUP, f"job-{n:04}", since_ms, allowance, stopped) is not None

    assert find(30)
    assert (allowance.spent, account.calls[STREAMS]) == (1, 1)
    assert not find(400, lambda: next(stops))
    assert account.calls[STREAMS] == 3
    allowance.jobs = WORTHWHILE - 1
    assert not find(400)
    allowance.jobs, allowance.spent = WORTHWHILE, WORTHWHILE
    assert not find(400)
    assert find(100)
    assert account.calls[STREAMS] == 3


def test_memory_is_bounded(
    account: EmulatedAccount, listings: StreamListings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing ends where it would keep too much; what was taken is not kept."""
    monkeypatch.setattr(log_listing, "STREAMS_KEPT", 100)
    seed(account, 420)
    listings.prepare(GROUP, [NOW_MS])

    def find(n: int) -> bool:
        since_ms = NOW_MS - n * MINUTE_MS
        return listings.find(GROUP, f"job-{n:04}", since_ms, enough(), go_on) is not None

    assert all(find(n) for n in range(80))
    assert all(find(n) for n in range(80, 180))
    assert not find(400)
    assert account.calls[STREAMS] < 420 // 50


def test_a_token_that_died_begins_anew(account: EmulatedAccount, listings: StreamListings) -> None:
    """Tokens of a listing are good for 24 hours; a backfill may take longer."""
    seed(account, 120)
    listings.prepare(GROUP, [NOW_MS])

    def stopped() -> bool:
        if account.calls[STREAMS] == 1:
            account.faults.fail(STREAMS, code="InvalidParameterException")
        return False

    found = listings.find(GROUP, "job-0110", NOW_MS - 110 * MINUTE_MS, enough(), stopped)
    assert found is not None
    assert len(found.streams) == 1
    assert account.calls[STREAMS] == 2 + 3


def test_jobs_that_ended_since_have_a_listing_begun(
    account: EmulatedAccount, listings: StreamListings
) -> None:
    """Some do not: the old one goes on for the many that are older."""
    seed(account, 60)
    listings.prepare(GROUP, [NOW_MS] * 100)

    def find(name: str, since_ms: int) -> int:
        found = listings.find(GROUP, name, since_ms, enough(), go_on)
        return len(found.streams) if found else 0

    assert find("job-0055", NOW_MS - 55 * MINUTE_MS) == 1
    later_ms = now_ms() + HOUR_MS
    put_log(account, "new", [(later_ms, "x")])
    listings.prepare(GROUP, [later_ms] * (WORTHWHILE - 1))
    assert find("new", NOW_MS - MINUTE_MS) == 0
    assert account.calls[STREAMS] == 2
    listings.prepare(GROUP, [later_ms] * WORTHWHILE)
    assert find("new", NOW_MS - MINUTE_MS) == 1
    assert account.calls[STREAMS] == 3
    assert find("job-0050", NOW_MS - 50 * MINUTE_MS) == 1


@dataclass(frozen=True)
class Life:
    """What became of one job, in minutes.

    Attributes
    ----------
    age
        How long ago it ended.
    length
        How long it trained.
    restarts
        For each host, the part of the training after which it was started again, silently.
    hidden
        For each stream, whether AWS knows its last event, an early one, or none.
    namesake
        How long before it an earlier job of the same name ended; None for no such job.
    quiet
        The part of the training after which it wrote nothing.
    """

    age: int
    length: int
    restarts: tuple[float | None, ...]
    hidden: tuple[str, ...]
    namesake: int | None
    quiet: float

    @property
    def is_plain(self) -> bool:
        """Whether nothing stands against the listing."""
        shown = set(self.hidden[: len(self.restarts)]) == {"no"}
        return shown and not any(self.restarts) and self.namesake is None and self.quiet == 1.0


parts = st.sampled_from((0.3, 0.5, 0.7))
lives = st.builds(
    Life,
    age=st.sampled_from((0, 1, 30, 59, 119, 400, 3000)),
    length=st.integers(20, 400),
    restarts=st.lists(st.one_of(st.none(), st.none(), parts), min_size=1, max_size=3).map(tuple),
    hidden=st.tuples(*[st.sampled_from(("no", "no", "no", "early", "unknown"))] * 6),
    namesake=st.sampled_from((None, None, None, 1, 30, 5000)),
    quiet=st.sampled_from((1.0, 1.0, 0.9, 0.5)),
)
NAMES = ("job", "job-1", "job-10", "j", "JOB", "job-1-algo-1-1700000000", "a" * 63)


class Placed:
    """A job that lived so, in the account."""

    def __init__(self, account: EmulatedAccount, name: str, life: Life) -> None:
        self.life = life
        end_ms = NOW_MS - life.age * MINUTE_MS
        self._begin_ms, self._end_ms = end_ms - life.length * MINUTE_MS, end_ms
        self._account, self._name = account, name
        self._hidden = iter(life.hidden)
        created_ms = self._begin_ms - MINUTE_MS
        if life.namesake is not None:
            earlier_ms = created_ms - life.namesake * MINUTE_MS
            self._put("algo-1", earlier_ms - 30 * MINUTE_MS, earlier_ms)
        for number, restart in enumerate(life.restarts, start=1):
            self._put_host(f"algo-{number}", restart)
        answer = job_answer(name, created_ms=created_ms, ended_ms=end_ms, hosts=len(life.restarts))
        self.job = training_job({**answer, "TrainingJobArn": arn(name)})

    def _put_host(self, host: str, restart: float | None) -> None:
        length_ms = self._end_ms - self._begin_ms
        last_ms = self._begin_ms + int(length_ms * self.life.quiet)
        if restart is None:
            self._put(host, self._begin_ms, last_ms)
            return
        again_ms = self._begin_ms + int(length_ms * restart)
        self._put(host, self._begin_ms, again_ms)
        self._put(host, again_ms + MINUTE_MS, max(last_ms, again_ms + 2 * MINUTE_MS))

    def _put(self, host: str, begin_ms: int, last_ms: int) -> None:
        name = f"{self._name}/{host}-{begin_ms // 1000}"
        self._account.clock.set(moment(begin_ms))
        self._account.put_log_events(GROUP, name, [(begin_ms, "x"), (last_ms, "y")], publish=False)
        self._account.clock.set(None)
        hidden = next(self._hidden, "no")
        if hidden != "no":
            known_ms = begin_ms + 1 if hidden == "early" else None
            self._account.faults.lag_last_events(name, known_ms)


@pytest.mark.slow
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(lives, min_size=1, max_size=len(NAMES)), st.randoms(), st.sampled_from((1, 2, 50)))
def test_a_listing_shows_what_the_job_alone_would_show(
    account: EmulatedAccount, told: list[Life], random: Any, page: int
) -> None:
    """Whatever lags, restarts or had the name before; and plain jobs are found in the listing."""
    account.faults.clear()
    account.faults.page_size(STREAMS, page)
    aws = connect(None, None, 4)
    put_log(account, "other", [(NOW_MS, "x")])
    aws.logs.delete_log_group(logGroupName=GROUP)
    reader = LogReader(aws)
    account.put_log_events(GROUP, "of-no-job", [(NOW_MS - MINUTE_MS, "x")], publish=False)
    placed = [Placed(account, name, life) for name, life in zip(NAMES, told, strict=False)]
    reader.listings.prepare(GROUP, [NOW_MS])
    for each in random.sample(placed, len(placed)):
        found = reader.find_streams(each.job, enough(), go_on)
        alone = made_for(reader.list_streams(GROUP, each.job.name), each.job.created_ms)
        if each.life.is_plain:
            assert found is not None
        if found is not None:
            assert found == alone


@pytest.mark.parametrize("minutes", [1, 30, 5000])
def test_the_streams_of_an_earlier_job_of_the_name(account: EmulatedAccount, minutes: int) -> None:
    """They are not the job's, whether the listing goes back so far or not."""
    account.faults.page_size(STREAMS, 1)
    life = Life(age=0, length=60, restarts=(None,), hidden=("no",) * 6, namesake=minutes, quiet=1.0)
    job = Placed(account, "job", life).job
    put_log(account, "older", [(NOW_MS - 2 * 24 * HOUR_MS, "x")])
    reader = LogReader(connect(None, None, 4))
    reader.listings.prepare(GROUP, [NOW_MS])
    found = reader.find_streams(job, enough(), go_on)
    both = reader.list_streams(GROUP, "job")
    assert len(both) == 2
    assert found == made_for(both, job.created_ms) == both[1:]
