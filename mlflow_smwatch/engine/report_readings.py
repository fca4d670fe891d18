"""The reports that a pass reads in S3: what is counted in them, and the small ones that are copied.

Each job's once, when it has ended. The calls are made by other threads than the coordinating one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from mlflow_smwatch.aws.objects import ObjectReader
from mlflow_smwatch.aws.operations import LIST_OBJECTS
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    JobError,
    ObjectGoneError,
    RetriableError,
    StopError,
)
from mlflow_smwatch.core.job_files import S3Place
from mlflow_smwatch.core.report_files import (
    FILE_LIMIT,
    FOLDER,
    VIOLATION_FILES,
    VIOLATIONS,
    choose,
    count_violations,
    has_violations,
    no_violations,
    report_folders,
)
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.readings import OpenTasks, Running
from mlflow_smwatch.engine.task import ReportReading, Task

_UNREADABLE = (AccessDeniedError, RetriableError)
"""What another pass may read."""


class ReportReadings:
    """Reads reports; in a dry run the lists are counted, since nobody knows what is in them.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    tasks
        The jobs that are read.
    pool
        Makes the calls.
    running
        Where calls under way are entered.
    """

    def __init__(
        self, context: PassContext, tasks: OpenTasks, pool: Executor, running: Running
    ) -> None:
        self._pass = context
        self._tasks = tasks
        self._pool = pool
        self._running = running
        self._asked: list[Task] = []

    def ask(self, task: Task) -> bool:
        """Take a job that has ended if its reports are to be counted, or copied, and are not yet.

        Returns
        -------
        bool
            Whether it was taken.
        """
        due = self._counts(task) or self._copies(task)
        if due:
            self._asked.append(task)
        return due

    def begin(self) -> None:
        """Read the reports of the jobs that were taken."""
        asked, self._asked = self._asked, []
        for task in asked:
            if self._pass.options.dry_run:
                folders = report_folders(task.job.facts) if self._copies(task) else ()
                self._pass.aws.ledger.count(LIST_OBJECTS, len(folders))
                continue
            future = self._pool.submit(self._read, task)
            self._running[future] = partial(self._deliver, task)

    def _counts(self, task: Task) -> bool:
        job, wanted = task.job, self._pass.options.metrics != "off"
        counted = VIOLATIONS in task.watermark.measured
        tells = has_violations(job) or bool(no_violations(job))
        return wanted and tells and task.reading.complete and not counted

    def _copies(self, task: Task) -> bool:
        wanted = self._pass.options.copies_reports and task.job.ended and task.reading.complete
        copied = task.run is not None and names.REPORTS in task.run.tags
        return wanted and not copied and bool(report_folders(task.job.facts))

    def _deliver(self, task: Task, done: Future[ReportReading]) -> None:
        try:
            task.reports = done.result()
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of this job: the others go on
            task.error = error
        self._tasks.tick(task.arn)

    def _read(self, task: Task) -> ReportReading:
        reader = ObjectReader(self._pass.aws)
        found = self._count(task, reader) if self._counts(task) else ReportReading()
        if not self._copies(task):
            return found
        try:
            copied, left_out = self._copy(task, reader)
        except (*_UNREADABLE, OSError) as error:
            return replace(found, denied=(*found.denied, f"no reports: {error}"))
        return replace(found, copied=copied, left_out=(*found.left_out, *left_out))

    def _count(self, task: Task, reader: ObjectReader) -> ReportReading:
        if not has_violations(task.job):
            return ReportReading(counts=no_violations(task.job))
        for folder in report_folders(task.job.facts).values():
            try:
                return ReportReading(counts=self._counted(folder, reader))
            except ObjectGoneError:
                continue
            except _UNREADABLE as error:
                return ReportReading(denied=(f"no violations: {error}",))
            except (JobError, ValueError) as error:
                return ReportReading(left_out=(f"no violations: {error}",))
        return ReportReading(left_out=(f"no violations: there is no {VIOLATION_FILES[0]}",))

    @staticmethod
    def _counted(folder: S3Place, reader: ObjectReader) -> dict[str, int]:
        """Count the violations in a folder, in the list of whichever spelling there is.

        S3 says of an object that is not there that it is denied, to those who may not list.
        """
        usual, other = (folder.below(name) for name in VIOLATION_FILES)
        with suppress(ObjectGoneError, AccessDeniedError):
            return count_violations(reader.read(usual, FILE_LIMIT))
        return count_violations(reader.read(other, FILE_LIMIT))

    def _copy(self, task: Task, reader: ObjectReader) -> tuple[int | None, list[str]]:
        """Copy the small reports of a job, by way of a folder that is removed again."""
        folders = report_folders(task.job.facts)
        found, not_listed = _listed(folders, reader)
        files, left_out = choose(folders, found)
        refused, copied = None, 0
        with tempfile.TemporaryDirectory() as local:
            for each in files:
                try:
                    content = reader.read(each.place, FILE_LIMIT)
                except ObjectGoneError:  # since it was listed
                    continue
                except JobError as error:
                    left_out.append(f"not copied: {each.path}: {error}")
                    continue
                file = Path(local, FOLDER, each.path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
                copied += 1
            if copied and task.run is not None:
                refused = self._pass.writer.write_folder(task.run, FOLDER, local)
        return (None, [refused]) if refused else (copied, [*not_listed, *left_out])


def _listed(
    folders: Mapping[str, S3Place], reader: ObjectReader
) -> tuple[dict[str, list[tuple[str, int]]], list[str]]:
    """List the objects of folders; say in words of which not all are listed."""
    found: dict[str, list[tuple[str, int]]] = {}
    not_listed = []
    for name, folder in folders.items():
        try:
            found[name], is_cut = reader.below(folder)
        except ObjectGoneError:
            continue
        except JobError as error:
            not_listed.append(f"no reports of {name}: {error}")
            continue
        if is_cut:
            first = f"reports were looked for among the first {len(found[name]):,} objects"
            not_listed.append(f"{first} of {name} alone")
    return found, not_listed
