"""What a recorded workload is, and the small gzip JSON file that keeps it."""

from __future__ import annotations

import dataclasses
import gzip
import importlib.resources
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from mlflow_smwatch.demo.workloads.workload import MetricDefinition, Workload

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
    """A workload as it really ran.

    Attributes
    ----------
    recorded_at
        ISO time in UTC.
    duration_ms
        From the start of the processes to the end of the last one, not stretched.
    model
        ``model.tar.gz`` in base64, or None where there is none or it is too big to be kept.
    outputs
        What processing and transform jobs wrote: path → text.
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
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name of the job."""
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


def pack_archive(files: Mapping[str, bytes]) -> bytes:
    """Return a ``tar.gz`` of these files; equal files give equal bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def unpack_archive(packed: bytes) -> Mapping[str, bytes]:
    """Return the files of a ``tar.gz``."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = ((entry.name, archive.extractfile(entry)) for entry in archive)
        return {name: file.read() for name, file in files if file}
