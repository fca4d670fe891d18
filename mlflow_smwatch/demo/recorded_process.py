"""The child processes that stand for a job's hosts: started, listened to, watched, ended."""

from __future__ import annotations

import importlib.resources
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow_smwatch.demo.recording import Line, Sample
from mlflow_smwatch.demo.workloads.workload import Workload

logger = logging.getLogger(__name__)

SAMPLE_INTERVAL_S = 0.5
CONTAINER_CODE = "/opt/ml/code"
CONTAINER_PACKAGES = "/usr/local/lib/python3/site-packages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A running process of a host, and the clock's reading when the job began."""

    host: str
    process: subprocess.Popen[str]
    began: float
    ended: threading.Event

    def offset_ms(self) -> int:
        """Return the milliseconds since the job began."""
        return round((time.monotonic() - self.began) * 1000)


def start(workload: Workload, folder: Path) -> Iterator[Worker]:
    """Start one process per host, with a copy of the script and SageMaker's environment.

    Parameters
    ----------
    workload
        What is run.
    folder
        Where; its folders ``model``, ``output`` and ``input/<channel>`` are the containers'.
    """
    source = importlib.resources.files("mlflow_smwatch.demo.workloads") / workload.script
    script = folder / workload.script
    script.write_bytes(source.read_bytes())
    hosts = [f"algo-{rank + 1}" for rank in range(workload.instance_count)]
    environment = {**_environment(hosts, folder), **_channels(workload, folder)}
    began = time.monotonic()
    for host in hosts:
        process = subprocess.Popen(  # noqa: S603 - a script of our own
            [sys.executable, "-u", str(script), *workload.arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**environment, "SM_CURRENT_HOST": host},
            encoding="utf-8",
            errors="replace",
        )
        yield Worker(host=host, process=process, began=began, ended=threading.Event())


def wait(worker: Worker, workers: tuple[Worker, ...]) -> int:
    """Return a process's exit code; like SageMaker, end the job once one host has failed."""
    if worker.process.wait():
        terminate(workers)
    return worker.process.returncode


def terminate(workers: tuple[Worker, ...]) -> None:
    """Ask all processes to end."""
    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)


def read_lines(worker: Worker, folder: Path) -> tuple[Line, ...]:
    """Return what a process prints until it ends."""
    printed = worker.process.stdout or ()
    try:
        return tuple(
            Line(worker.offset_ms(), _as_in_container(line.rstrip("\n"), folder))
            for line in printed
        )
    finally:
        worker.ended.set()


def read_samples(worker: Worker, folder: Path) -> tuple[Sample, ...]:
    """Return what a process uses until it ends."""
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


def _environment(hosts: list[str], folder: Path) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        **os.environ,
        "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": "1" if len(hosts) > 1 else "2",
        "SM_MODEL_DIR": str(folder / "model"),
        "SM_OUTPUT_DIR": str(folder / "output"),
        "SM_HOSTS": json.dumps(hosts),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def _channels(workload: Workload, folder: Path) -> Mapping[str, str]:
    return {
        f"SM_CHANNEL_{channel.upper()}": str(folder / "input" / channel)
        for channel in workload.channels
    }


def _as_in_container(text: str, folder: Path) -> str:
    """Return a line as CloudWatch Logs would hold it: see :mod:`.record`."""
    text = text.replace(str(folder), CONTAINER_CODE)
    text = text.replace(sysconfig.get_path("purelib"), CONTAINER_PACKAGES)
    return re.sub(r"[\x00-\x1f]", lambda match: f"#{ord(match[0]):03o}", text)
