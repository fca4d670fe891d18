"""Jobs as they come in an account: what their hosts log and measure, at random from a seed."""

from __future__ import annotations

from datetime import datetime, timezone
from random import Random

from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.exactly_once.truth import KEYS, UTILISATION, Row, TrueJob
from tests.jobs import MINUTE_MS, REGION, Events, Samples, arn, curve, now_ms, whole

OWN_KEY = KEYS["lr"]


def now() -> datetime:
    """Tell the time in whole milliseconds."""
    instant = datetime.now(tz=timezone.utc)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def messages(chance: Random, count: int) -> list[str]:
    """Write log messages: mostly one match, some with several, none, or a value that is none."""
    written = []
    for number in range(count):
        value = number / 8 + chance.randrange(4)
        form = chance.choice(
            (
                "step={n} loss={v}",
                "step={n} loss={v}",
                "step={n} loss={v} acc={n}.5",
                "acc={v}\nloss={v}\nlr={n}e-3",
                "10% loss={v}\r20% loss={n}",
                "epoch {n} begins",
                "loss={v} loss=77",
                "lr={n} loss=nan",
            )
        )
        written.append(form.format(n=number, v=value))
    return written


def events(chance: Random, count: int, start_ms: int) -> Events:
    """Give messages their times; several may have the same one."""
    at_ms, timed = start_ms, []
    for message in messages(chance, count):
        at_ms += chance.choice((0, 0, 0, 1, 7))
        timed.append((at_ms, message))
    return timed


class Author:
    """Tells of jobs, and keeps what was told.

    Parameters
    ----------
    account
        Where the jobs are.
    seed
        Of all that is random in them.
    name
        How the names of the jobs begin.

    Attributes
    ----------
    jobs
        All jobs so far.
    growing
        The job that still runs; None if there is none.
    """

    def __init__(self, account: EmulatedAccount, seed: int, name: str = "job") -> None:
        self.jobs: list[TrueJob] = []
        self.growing: TrueJob | None = None
        self._account = account
        self._name = name
        self._chance = Random(seed)

    def ended(self, *, hosts: int = 1, lines: int = 200, restarts: int = 0) -> TrueJob:
        """Tell of a job that ended minutes ago and has logs."""
        job = self._new(hosts, minutes_ago=30)
        self._tell_logs(job, lines, restarts)
        job.put(_life(job.created_ms, self._chance.choice(("Completed", "Failed", "Stopped"))))
        return job

    def without_logs(self) -> TrueJob:
        """Tell of a job of which only CloudWatch knows anything."""
        job = self._new(1, minutes_ago=40)
        job.finals["lr"] = (job.created_ms + 20 * MINUTE_MS, 0.25)
        for name in ("loss", "acc@1"):
            job.publish(name, self._samples(job.created_ms, 25), counts=True)
        job.sample("algo-1", "CPUUtilization", self._samples(job.created_ms, 25))
        job.put(_life(job.created_ms, "Completed"))
        return job

    def adopted(self, uri: str, lines: int = 200) -> TrueJob:
        """Tell of a job whose script logged a run of its own to the store."""
        job = self._new(1, minutes_ago=30)
        self._log_run(job, uri)
        self._tell_logs(job, lines)
        job.put(_life(job.created_ms, "Completed"))
        return job

    def adopt_growing(self, uri: str) -> None:
        """Let the running job's script log a run of its own, where a mirror has made one by now."""
        if self.growing is not None:
            self._log_run(self.growing, uri)

    def _log_run(self, job: TrueJob, uri: str) -> None:
        client = MlflowClient(tracking_uri=uri)
        said = {"arn": arn(job.name), "kind": "training-job", "name": job.name, "region": REGION}
        run: Run = client.create_run(
            "0",
            start_time=job.created_ms + MINUTE_MS,
            tags={f"sagemaker.{key}": value for key, value in said.items()},
        )
        rows = [
            (key, job.created_ms + step, step, step / 4)
            for key in (OWN_KEY, "own")
            for step in range(20)
        ]
        client.log_batch(run.info.run_id, [Metric(key, v, at, step) for key, at, step, v in rows])
        owned: list[Row] = [(key, at_ms, step, repr(value)) for key, at_ms, step, value in rows]
        job.own.update(owned)
        job.own_keys = frozenset({OWN_KEY})

    def begin(self, *, hosts: int = 2, lines: int = 200) -> TrueJob:
        """Tell of a job that runs, and will grow."""
        job = self._new(hosts, minutes_ago=60)
        self._tell_logs(job, lines, in_cloudwatch=False)
        created_ms = job.created_ms
        job.put(
            [
                ("Starting", created_ms),
                ("Downloading", created_ms + MINUTE_MS),
                ("Training", created_ms + 2 * MINUTE_MS),
            ]
        )
        self.growing = job
        return job

    def grow(self, lines: int = 60) -> None:
        """Let the running job's hosts write on, and start one anew now and then."""
        job = self.growing
        if job is None:
            return
        if self._chance.random() < 0.2:
            self._restart(job)
        for host in job.host_names:
            written = job.events[host][-1][0]
            job.log(host, events(self._chance, self._chance.randrange(lines), written))

    def end(self) -> None:
        """Let the running job end; some of its utilisation comes late."""
        job, self.growing = self.growing, None
        if job is None:
            return
        for host in job.host_names:
            late = self._samples(job.created_ms + 25 * MINUTE_MS, 10)
            job.sample(host, "CPUUtilization", late)
        job.move("Uploading", now())
        job.move("Completed", now())

    def _restart(self, job: TrueJob) -> None:
        said = self._chance.random() < 0.5
        if said:
            job.move("Restarting", now())
        host = self._chance.choice(job.host_names)
        since_ms = job.events[host][-1][0] + 2000
        job.begin_stream(host, since_ms)
        job.log(host, events(self._chance, 5, since_ms + 1000))
        if said:
            job.move("Training", now())

    def _tell_logs(
        self, job: TrueJob, lines: int, restarts: int = 0, *, in_cloudwatch: bool = True
    ) -> None:
        """Tell what a job's hosts logged and measured; the logs are there before its end is."""
        for host in job.host_names:
            for start in range(restarts + 1):
                since_ms = job.created_ms + (3 + 2 * start) * MINUTE_MS
                job.begin_stream(host, since_ms)
                job.log(host, events(self._chance, lines, since_ms))
            for metric in UTILISATION:
                job.sample(host, metric, self._samples(job.created_ms, 20))
        if in_cloudwatch:
            job.publish("loss", self._samples(job.created_ms, 20), counts=False)

    def _samples(self, start_ms: int, count: int) -> Samples:
        return curve(whole(start_ms), count, first=self._chance.randrange(50))

    def _new(self, hosts: int, minutes_ago: int) -> TrueJob:
        job = TrueJob(
            account=self._account,
            name=f"{self._name}-{len(self.jobs)}",
            created_ms=now_ms() - minutes_ago * MINUTE_MS,
            hosts=hosts,
        )
        self.jobs.append(job)
        return job


def _life(created_ms: int, last: str) -> list[tuple[str, int]]:
    """Give the phases of a job that ended some minutes ago."""
    return [
        ("Starting", created_ms),
        ("Downloading", created_ms + MINUTE_MS),
        ("Training", created_ms + 2 * MINUTE_MS),
        ("Uploading", created_ms + 24 * MINUTE_MS),
        (last, created_ms + 25 * MINUTE_MS),
    ]
