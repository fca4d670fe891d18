"""Record the demo's jobs: ``python -m mlflow_smwatch.demo.record [NAME…]``.

Each workload of the catalogue runs as real child processes, one per host. Their lines of output
with time stamps, and psutil's figures of each process, become one small gzip JSON file in
``recordings/``. Reading recordings needs the standard library alone; making them needs psutil and
scikit-learn.

A workload that reads what another wrote is given what that one's recording kept: whoever records a
chain anew records its later steps anew too.

Two things of the text are changed to what a SageMaker log shows: control characters become ``#``
and three octal digits, and paths of this computer become paths of the training container.
"""

from __future__ import annotations

import argparse
import base64
import importlib.metadata
import itertools
import logging
import platform
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

from mlflow_smwatch.demo.recorded_process import (
    read_lines,
    read_samples,
    start,
    terminate,
    wait,
)
from mlflow_smwatch.demo.recording import (
    Outcome,
    RecordedHost,
    Recording,
    dump_recording,
    load_recordings,
    pack_archive,
    unpack_archive,
)
from mlflow_smwatch.demo.workloads.catalog import WORKLOADS
from mlflow_smwatch.demo.workloads.workload import Workload

__all__ = ["load_recordings", "record"]

logger = logging.getLogger(__name__)

MODEL_LIMIT_BYTES = 50_000
FAILURE_REASON_LIMIT = 1024  # DescribeTrainingJob, FailureReason
RECORDINGS = Path(__file__).parent / "recordings"


def record(workload: Workload, earlier: Mapping[str, Recording] | None = None) -> Recording:
    """Run a workload to its end and return what it printed, used and wrote.

    Parameters
    ----------
    workload
        What is run.
    earlier
        Name → recording, of those whose outputs or model it reads.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(workload, earlier or {}, folder)
        recorded_at = datetime.now(timezone.utc)
        hosts, exit_codes, duration_ms = _run(workload, folder)
        is_training = workload.kind == "training-job"
        return Recording(
            workload=workload,
            outcome=_outcome(workload, exit_codes),
            failure_reason=_failure_reason(workload, hosts, exit_codes),
            recorded_at=recorded_at.isoformat(timespec="milliseconds"),
            python_version=platform.python_version(),
            sklearn_version=importlib.metadata.version("scikit-learn"),
            duration_ms=duration_ms,
            hosts=hosts,
            model=_pack_model(folder / "model") if is_training else None,
            outputs=_read_outputs(folder / "output"),
        )


def _prepare(workload: Workload, earlier: Mapping[str, Recording], folder: Path) -> None:
    """Make the folders of a container, and put into them what the workload reads."""
    for each in ("model", "output"):
        Path(folder, each).mkdir()
    for channel, source in workload.inputs.items():
        name, _, output = source.partition("/")
        target = folder / "input" / channel
        target.mkdir(parents=True)
        for path, text in earlier[name].outputs.items():
            if path.startswith(f"{output}/"):
                Path(target, Path(path).name).write_text(text)
    if workload.model is not None:
        packed = base64.b64decode(earlier[workload.model].model or "")
        for path, content in unpack_archive(packed).items():
            Path(folder, "model", path).write_bytes(content)


def _run(workload: Workload, folder: Path) -> tuple[tuple[RecordedHost, ...], list[int], int]:
    """Return what the hosts printed and used, their exit codes, and the duration in ms."""
    workers = tuple(start(workload, folder))
    stop = threading.Timer(workload.stop_after_s or 0, terminate, [workers])
    if workload.stop_after_s is not None:
        stop.start()
    with ThreadPoolExecutor(3 * len(workers)) as threads:
        lines = [threads.submit(read_lines, worker, folder) for worker in workers]
        samples = [threads.submit(read_samples, worker, folder) for worker in workers]
        exit_codes = list(threads.map(wait, workers, itertools.repeat(workers)))
        duration_ms = workers[0].offset_ms()
    stop.cancel()
    hosts = tuple(
        RecordedHost(name=worker.host, lines=printed.result(), samples=used.result())
        for worker, printed, used in zip(workers, lines, samples, strict=True)
    )
    return hosts, exit_codes, duration_ms


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
    first = tracebacks[-1] + 1 if tracebacks else -1
    error = [text for text in printed[first:] if not text.startswith(" ")]
    command = " ".join(["/usr/bin/python3", workload.script, *workload.arguments])
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


def _read_outputs(folder: Path) -> Mapping[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_text() for file in files}


def main() -> None:
    """Record the named workloads, or all of them, into the package's folder."""
    parser = argparse.ArgumentParser(description="Record the demo's jobs.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    names = set(parser.parse_args().names)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    unknown = names - {workload.name for workload in WORKLOADS}
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    known = {recording.name: recording for recording in load_recordings()}
    for workload in WORKLOADS:
        if not names or workload.name in names:
            recording = known[workload.name] = record(workload, known)
            data = dump_recording(recording)
            Path(RECORDINGS, f"{workload.name}.json.gz").write_bytes(data)
            logger.info("%s: %s, %d bytes", workload.name, recording.outcome, len(data))


if __name__ == "__main__":
    main()
