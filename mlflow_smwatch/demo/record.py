"""Record the demo's training jobs: ``python -m mlflow_smwatch.demo.record [NAME…]``.

Each workload of the catalogue runs as real child processes, one per host. Their lines of output
with time stamps, and psutil's figures of each process, become one small gzip JSON file in
``recordings/``. Reading recordings needs the standard library alone; making them needs psutil and
scikit-learn.

Two things of the text are changed to what a SageMaker log shows: control characters become ``#``
and three octal digits, and paths of this computer become paths of the training container.
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import gzip
import importlib.metadata
import importlib.resources
import io
import itertools
import json
import logging
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mlflow_smwatch.demo.workloads.catalog import WORKLOADS, MetricDefinition, Workload

logger = logging.getLogger(__name__)

SAMPLE_INTERVAL_S = 0.5
MODEL_LIMIT_BYTES = 50_000
FAILURE_REASON_LIMIT = 1024  # DescribeTrainingJob, FailureReason
CONTAINER_CODE = "/opt/ml/code"
CONTAINER_PACKAGES = "/usr/local/lib/python3/site-packages"

Outcome = Literal["completed", "failed", "stopped"]


class Line(NamedTuple):
    """A line of output, in milliseconds since the processes were started."""

    offset_ms: int
    text: str


class Sample(NamedTuple):
    """A look at a process in percent; CPU is the sum over cores."""

    offset_ms: int
    cpu: float
    memory: float
    disk: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedHost:
    """What one process, standing for a host such as ``algo-1``, printed and used."""

    name: str
    lines: tuple[Line, ...]
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A training job as it really ran.

    Attributes
    ----------
    recorded_at
        ISO time in UTC.
    duration_ms
        From the start of the processes to the end of the last one, not stretched.
    model
        ``model.tar.gz`` in base64, or None where there is none or it is too big to be kept.
    """

    workload: Workload
    outcome: Outcome
    failure_reason: str | None
    recorded_at: str
    python_version: str
    sklearn_version: str
    duration_ms: int
    hosts: tuple[RecordedHost, ...]
    model: str | None

    @property
    def name(self) -> str:
        """Return the name of the training job."""
        return self.workload.name


def dump_recording(recording: Recording) -> bytes:
    """Return the recording as gzip JSON; equal recordings give equal bytes."""
    text = json.dumps(
        dataclasses.asdict(recording), ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )
    return gzip.compress(text.encode(), mtime=0)


def load_recording(data: bytes) -> Recording:
    """Return the recording that `dump_recording` made these bytes of."""
    fields: dict[str, Any] = json.loads(gzip.decompress(data))
    return Recording(
        workload=_to_workload(fields.pop("workload")),
        hosts=tuple(_to_host(host) for host in fields.pop("hosts")),
        **fields,
    )


def _to_workload(fields: dict[str, Any]) -> Workload:
    definitions = tuple(MetricDefinition(**entry) for entry in fields.pop("metric_definitions"))
    channels = tuple(fields.pop("channels"))
    return Workload(metric_definitions=definitions, channels=channels, **fields)


def _to_host(fields: dict[str, Any]) -> RecordedHost:
    return RecordedHost(
        name=fields["name"],
        lines=tuple(Line(*line) for line in fields["lines"]),
        samples=tuple(Sample(*sample) for sample in fields["samples"]),
    )


def load_recordings() -> tuple[Recording, ...]:
    """Return the recordings that come with the package, ordered by name."""
    folder = importlib.resources.files("mlflow_smwatch.demo") / "recordings"
    recordings = (load_recording(file.read_bytes()) for file in folder.iterdir())
    return tuple(sorted(recordings, key=lambda recording: recording.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    """A running process of a host, and the clock's reading when the job began."""

    host: str
    process: subprocess.Popen[str]
    began: float
    ended: threading.Event

    def offset_ms(self) -> int:
        return round((time.monotonic() - self.began) * 1000)


def record(workload: Workload) -> Recording:
    """Run a workload to its end and return what it printed and used."""
    with tempfile.TemporaryDirectory() as folder:
        recorded_at = datetime.now(timezone.utc)
        workers = tuple(_start(workload, Path(folder)))
        stop = threading.Timer(workload.stop_after_s or 0, _terminate, [workers])
        if workload.stop_after_s is not None:
            stop.start()
        with ThreadPoolExecutor(3 * len(workers)) as threads:
            lines = [threads.submit(_read_lines, worker, Path(folder)) for worker in workers]
            samples = [threads.submit(_read_samples, worker, Path(folder)) for worker in workers]
            exit_codes = list(threads.map(_wait, workers, itertools.repeat(workers)))
            duration_ms = workers[0].offset_ms()
        stop.cancel()
        hosts = tuple(
            RecordedHost(name=worker.host, lines=printed.result(), samples=used.result())
            for worker, printed, used in zip(workers, lines, samples, strict=True)
        )
        return Recording(
            workload=workload,
            outcome=_outcome(workload, exit_codes),
            failure_reason=_failure_reason(workload, hosts, exit_codes),
            recorded_at=recorded_at.isoformat(timespec="milliseconds"),
            python_version=platform.python_version(),
            sklearn_version=importlib.metadata.version("scikit-learn"),
            duration_ms=duration_ms,
            hosts=hosts,
            model=_pack_model(Path(folder, "model")),
        )


def _start(workload: Workload, folder: Path) -> Iterator[_Worker]:
    """Start one process per host, with a copy of the script and SageMaker's environment."""
    source = importlib.resources.files("mlflow_smwatch.demo.workloads") / workload.script
    script = folder / workload.script
    script.write_bytes(source.read_bytes())
    Path(folder, "model").mkdir()
    hosts = [f"algo-{rank + 1}" for rank in range(workload.instance_count)]
    environment = _environment(hosts, folder)
    began = time.monotonic()
    for host in hosts:
        process = subprocess.Popen(
            [sys.executable, "-u", str(script), *_arguments(workload)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**environment, "SM_CURRENT_HOST": host},
            encoding="utf-8",
            errors="replace",
        )
        yield _Worker(host=host, process=process, began=began, ended=threading.Event())


def _environment(hosts: list[str], folder: Path) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        **os.environ,
        "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": "1" if len(hosts) > 1 else "2",
        "SM_MODEL_DIR": str(folder / "model"),
        "SM_HOSTS": json.dumps(hosts),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def _arguments(workload: Workload) -> list[str]:
    pairs = ((f"--{name}", str(value)) for name, value in workload.hyperparameters.items())
    return [argument for pair in pairs for argument in pair]


def _wait(worker: _Worker, workers: tuple[_Worker, ...]) -> int:
    """Return a process's exit code; like SageMaker, end the job once one host has failed."""
    if worker.process.wait():
        _terminate(workers)
    return worker.process.returncode


def _terminate(workers: tuple[_Worker, ...]) -> None:
    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)


def _read_lines(worker: _Worker, folder: Path) -> tuple[Line, ...]:
    printed = worker.process.stdout or ()
    try:
        return tuple(
            Line(worker.offset_ms(), _as_in_container(line.rstrip("\n"), folder))
            for line in printed
        )
    finally:
        worker.ended.set()


def _as_in_container(text: str, folder: Path) -> str:
    """Return a line as CloudWatch Logs would hold it (see the module's text)."""
    text = text.replace(str(folder), CONTAINER_CODE)
    text = text.replace(sysconfig.get_path("purelib"), CONTAINER_PACKAGES)
    return re.sub(r"[\x00-\x1f]", lambda match: f"#{ord(match[0]):03o}", text)


def _read_samples(worker: _Worker, folder: Path) -> tuple[Sample, ...]:
    import psutil

    samples: list[Sample] = []
    try:
        process = psutil.Process(worker.process.pid)
        process.cpu_percent()
        while not worker.ended.wait(SAMPLE_INTERVAL_S):
            cpu, memory = process.cpu_percent(), process.memory_percent()
            if memory == 0:  # it has ended and waits to be noticed
                break
            disk = psutil.disk_usage(str(folder)).percent
            samples.append(Sample(worker.offset_ms(), round(cpu, 1), round(memory, 3), disk))
    except psutil.NoSuchProcess:
        logger.debug("%s ended between two samples", worker.host)
    return tuple(samples)


def _outcome(workload: Workload, exit_codes: list[int]) -> Outcome:
    if any(exit_codes):
        return "failed"
    return "completed" if workload.stop_after_s is None else "stopped"


def _failure_reason(
    workload: Workload, hosts: tuple[RecordedHost, ...], exit_codes: list[int]
) -> str | None:
    """Make SageMaker's sentence of the traceback, or last line, of the first failed host."""
    failed = [(host, code) for host, code in zip(hosts, exit_codes, strict=True) if code]
    if not failed:
        return None
    host, code = max(failed, key=lambda pair: pair[1])  # those that were terminated are below 0
    printed = [line.text for line in host.lines]
    tracebacks = [number for number, text in enumerate(printed) if text.startswith("Traceback")]
    start = tracebacks[-1] + 1 if tracebacks else -1
    error = [text for text in printed[start:] if not text.startswith(" ")]
    command = " ".join(["/usr/bin/python3", workload.script, *_arguments(workload)])
    message = "\n".join(error)
    reason = (
        f'AlgorithmError: ExecuteUserScriptError:\nExitCode {code}\nErrorMessage "{message}"\n'
        f'Command "{command}", exit code: {code}'
    )
    return reason[:FAILURE_REASON_LIMIT]


def _pack_model(folder: Path) -> str | None:
    """Return the model's files as ``model.tar.gz`` in base64, or None if there is none to keep."""
    files = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
    packed = pack_archive(files)
    if not files or len(packed) > MODEL_LIMIT_BYTES:
        return None
    return base64.b64encode(packed).decode()


def pack_archive(files: Mapping[str, bytes]) -> bytes:
    """Return a ``tar.gz`` of these files; equal files give equal bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def main() -> None:
    """Record the named workloads, or all of them, into the package's folder."""
    parser = argparse.ArgumentParser(description="Record the demo's training jobs.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    names = set(parser.parse_args().names)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    unknown = names - {workload.name for workload in WORKLOADS}
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    folder = Path(__file__).parent / "recordings"
    for workload in WORKLOADS:
        if not names or workload.name in names:
            recording = record(workload)
            data = dump_recording(recording)
            Path(folder, f"{workload.name}.json.gz").write_bytes(data)
            logger.info("%s: %s, %d bytes", workload.name, recording.outcome, len(data))


if __name__ == "__main__":
    main()
