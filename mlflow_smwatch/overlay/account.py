"""Reads AWS for those who look at artifacts; what two ask within a few seconds is read once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from mlflow_smwatch.aws.describing import JobDescriber
from mlflow_smwatch.aws.kinds import CALLS
from mlflow_smwatch.aws.listing import describe
from mlflow_smwatch.aws.log_text import Tail, read_tail, stream_names, write_stream
from mlflow_smwatch.aws.objects import ObjectReader, S3Entry
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.describe import job_of
from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_files import S3Place
from mlflow_smwatch.core.job_kinds import ENDPOINT, PIPELINE_EXECUTION, JobKind, name_in
from mlflow_smwatch.core.moments import to_ms
from mlflow_smwatch.core.own_patterns import patterns_in
from mlflow_smwatch.core.redact import Redaction
from mlflow_smwatch.overlay.fresh import Fresh
from mlflow_smwatch.overlay.spool import Spool

PATTERNS_VARIABLE = "SMWATCH_REDACT"
"""A server has no options, so it takes the mirror's from where they stand."""

_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Account:
    """One Region, with the credentials of this process; may be used by several threads.

    Attributes
    ----------
    aws
        The clients.
    objects
        Reads S3.
    """

    aws: Aws
    objects: ObjectReader
    _jobs: Fresh[Job] = field(default_factory=Fresh)
    _streams: Fresh[list[str]] = field(default_factory=Fresh)
    _logs: Spool = field(default_factory=Spool)
    _tails: Fresh[Tail] = field(default_factory=lambda: Fresh(most=32))
    _entries: Fresh[list[S3Entry]] = field(default_factory=lambda: Fresh(most=64))
    _sizes: Fresh[int | None] = field(default_factory=Fresh)

    @classmethod
    def of(cls, region: str) -> Account:
        """Connect to a Region; no call is made.

        Raises
        ------
        CredentialsError
            When there are no credentials.
        UsageError
            When the patterns of ``SMWATCH_REDACT`` cannot be understood.
        """
        redaction = Redaction(patterns_in(os.environ.get(PATTERNS_VARIABLE, "")))
        aws = connect(region, None, _WORKERS, redaction=redaction)
        return cls(aws, ObjectReader(aws))

    def job(self, arn: Arn, kind: JobKind, *, whole: bool = False) -> Job:
        """Describe a job (one ``Describe`` call, for a pipeline's execution some more).

        What an execution's failure repeats of its parameters is a secret only by their names.

        Parameters
        ----------
        arn, kind
            Of the job.
        whole
            Whether also what further operations tell of it.

        Raises
        ------
        UnknownJobError
            When AWS has no such job.
        SmwatchError
            When AWS denies the operation, keeps failing or cannot be reached.
        """
        return self._jobs.get(
            (arn, whole),
            lambda: (
                self._whole(arn, kind)
                if whole or kind is PIPELINE_EXECUTION
                else self._described(arn, kind)
            ),
        )

    def streams(self, group: str, prefix: str, since_ms: int) -> list[str]:
        """List the names of log streams; see :func:`.log_text.stream_names`."""
        return self._streams.get(
            (group, prefix, since_ms), lambda: stream_names(self.aws, group, prefix, since_ms)
        )

    def tail(self, group: str, stream: str) -> Tail:
        """Read the end of a stream; see :func:`.log_text.read_tail`."""
        return self._tails.get((group, stream), lambda: read_tail(self.aws, group, stream))

    def write_log(self, group: str, stream: str, file: Path) -> None:
        """Write a whole stream into a file; see :func:`.log_text.write_stream`."""
        self._logs.put(
            (group, stream),
            file,
            lambda opened: write_stream(self.aws, group, stream, opened, now_ms()),
        )

    def entries(self, folder: S3Place) -> list[S3Entry]:
        """List what lies in a folder; see :meth:`.ObjectReader.entries`."""
        return self._entries.get(folder, lambda: list(self.objects.entries(folder)))

    def size(self, place: S3Place) -> int | None:
        """Tell how large an object is; see :meth:`.ObjectReader.size`."""
        return self._sizes.get(place, lambda: self.objects.size(place))

    def _described(self, arn: Arn, kind: JobKind) -> Job:
        calls = CALLS[kind.word]
        answer = describe(self.aws, calls.describe, {calls.parameter: name_in(arn)}, calls.arn)
        try:
            return job_of(kind, self.aws.redaction.answer(answer))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            message = f"AWS described the job in a way that is not understood: {error!r}"
            raise JobError(message) from error

    def _whole(self, arn: Arn, kind: JobKind) -> Job:
        return JobDescriber(self.aws).describe(kind.word, str(arn)).job


def needs_whole(kind: JobKind) -> bool:
    """Whether the role of a job is told by a further operation than the one that describes it."""
    return kind is ENDPOINT


def now_ms() -> int:
    """Tell the present moment, in milliseconds since the epoch."""
    return to_ms(datetime.now(tz=timezone.utc))
