"""What one run shows of its job: folders, and files that are made or read when they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow_smwatch.aws.log_text import Tail
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_files import JobFiles, S3Place, job_files
from mlflow_smwatch.core.moments import iso_utc
from mlflow_smwatch.core.shown_paths import (
    DOCUMENT,
    FILES,
    LINEAGE_PAGE,
    LOGS,
    MODEL,
    TREES,
    LogName,
    ShownPath,
    are_segments,
    gone,
    is_segment,
)
from mlflow_smwatch.overlay.account import Account, now_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something in a folder.

    Attributes
    ----------
    name
        Its name in that folder.
    is_folder
        Whether it is a folder.
    size
        Bytes of a file; None where that is known only once it is read.
    """

    name: str
    is_folder: bool = False
    size: int | None = None


class ShownJob:
    """One job as its run shows it.

    Where it lies in CloudWatch Logs and S3 is told by its description and nothing else.

    Parameters
    ----------
    job
        As AWS describes it.
    account
        Reads AWS.
    lineage_page
        Draws the page of its lineage.
    """

    def __init__(self, job: Job, account: Account, lineage_page: Callable[[Job], str]) -> None:
        self._job = job
        self._account = account
        self._lineage_page = lineage_page
        self._files: JobFiles = job_files(job)

    @property
    def parts(self) -> tuple[str, ...]:
        """Which folders it has in ``sagemaker``."""
        return self._files.parts

    def entries(self, path: ShownPath) -> list[Entry]:
        """List a folder; nothing for a file, and where there is nothing.

        Parameters
        ----------
        path
            The folder.

        Raises
        ------
        SmwatchError
            When AWS denies it, keeps failing or cannot be reached, or the logs are gone.
        """
        if not path.part:
            return [*(Entry(name=each, is_folder=True) for each in self.parts), *_made_files()]
        if path.part in FILES or path.part not in self.parts:
            return []
        if path.part == LOGS:
            return _log_entries(self._streams(), path.names)
        return self._object_entries(path)

    def is_file(self, path: ShownPath) -> bool:
        """Whether a path names a file, as far as it names anything."""
        if path.part in FILES:
            return True
        if path.part == LOGS:
            return LogName.parse(path.names) is not None
        return self._is_model(path) or self._object(path) is not None

    def files(self, path: ShownPath) -> Iterator[ShownPath]:
        """List all files in a folder and its folders."""
        for entry in self.entries(path):
            below = path.below(entry.name)
            if entry.is_folder:
                yield from self.files(below)
            else:
                yield below

    def write(self, path: ShownPath, file: Path) -> None:
        """Write the content of a file, in constant memory.

        Parameters
        ----------
        path
            What is to be written.
        file
            Where to.

        Raises
        ------
        ObjectGoneError
            When there is no such thing.
        SmwatchError
            When AWS denies it, keeps failing or cannot be reached, or the logs are gone.
        """
        if path.part == DOCUMENT:
            file.write_text(self._job.document, encoding="utf-8")
        elif path.part == LINEAGE_PAGE:
            file.write_text(self._lineage_page(self._job), encoding="utf-8")
        elif path.part == LOGS:
            self._write_log(path, file)
        else:
            place = self._place(path)
            if place is None or place.is_folder:
                raise gone(path)
            self._account.objects.download(place, file)

    def signed_url(self, path: ShownPath, lasts_s: int) -> tuple[str, int] | None:
        """Give an address of an object in S3, and its size; None for what is none."""
        place = self._object(path)
        size = self._account.size(place) if place else None
        if place is None or size is None:
            return None
        return self._account.objects.signed_url(place, lasts_s), size

    def _write_log(self, path: ShownPath, file: Path) -> None:
        name = LogName.parse(path.names)
        group = self._files.log_group
        if name is None or group is None:
            raise gone(path)
        stream = self._files.stream_prefix + name.stream
        if name.whole:
            self._account.write_log(group, stream, file)
            return
        tail = self._account.tail(group, stream)
        text = "\n".join((_tail_head(name.stream, tail), *tail.lines, ""))
        file.write_text(text, encoding="utf-8")

    def _streams(self) -> Iterator[str]:
        """Name the streams, without the job's name, that can stand in a path."""
        prefix = self._files.stream_prefix
        for name in self._account.streams(
            self._files.log_group or "", prefix, self._job.created_ms
        ):
            rest = name.removeprefix(prefix)
            if are_segments(rest) and "/" in name:
                yield rest

    def _place(self, path: ShownPath) -> S3Place | None:
        known = path.part in TREES and path.part != LOGS
        return self._files.place(path.part, path.names) if known else None

    def _is_model(self, path: ShownPath) -> bool:
        """Whether a path names the model, which is an object: then AWS need not be asked."""
        place = self._place(path) if path.part == MODEL else None
        return place is not None and place == self._files.model and not place.is_folder

    def _object(self, path: ShownPath) -> S3Place | None:
        """Find the object of a path; None where there is none."""
        place = self._place(path)
        if place is None or place.is_folder:
            return None
        return place if self._account.size(place) is not None else None

    def _object_entries(self, path: ShownPath) -> list[Entry]:
        model = self._files.model
        if path.part == MODEL and not path.names and model and not model.is_folder:
            size = self._account.size(model)
            return [] if size is None else [Entry(name=model.name, size=size)]
        place = self._place(path)
        if place is None:
            several = not path.names and path.part != MODEL
            names = self._files.outputs if several else ()
            return [Entry(name=name, is_folder=True) for name in names]
        return [
            Entry(name=each.name, is_folder=each.size is None, size=each.size)
            for each in self._account.entries(place.folder())
            if is_segment(each.name)
        ]


def _made_files() -> Iterator[Entry]:
    return (Entry(name=name) for name in FILES)


def _log_entries(streams: Iterable[str], folder: tuple[str, ...]) -> list[Entry]:
    """List one level of the tree that the slashes in the names of streams make."""
    prefix = "".join(f"{name}/" for name in folder)
    found: dict[str, Entry] = {}
    for stream in streams:
        if not stream.startswith(prefix):
            continue
        first, slash, _ = stream.removeprefix(prefix).partition("/")
        names = [first] if slash else [str(LogName(first, whole)) for whole in (True, False)]
        for name in names:
            found.setdefault(name, Entry(name=name, is_folder=bool(slash)))
    return list(found.values())


def _tail_head(stream: str, tail: Tail) -> str:
    whole = ShownPath(LOGS, tuple(str(LogName(stream, whole=True)).split("/")))
    what = f"The last {len(tail.lines):,} lines" if tail.found else "The end was not found"
    return f"# {what} at {iso_utc(now_ms())}; download {whole} for the whole log."
