"""Which log streams and S3 places a job has, by what AWS says of it and nothing else.

"Amazon SageMaker AI logs in CloudWatch" names groups and streams; "How Amazon SageMaker AI
processes training output" and the ``sagemaker`` service model name the places in S3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import (
    AUTOML_JOB,
    ENDPOINT,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
    JobKind,
)
from mlflow_smwatch.core.mappers.answers import part, parts, s3_uri, text
from mlflow_smwatch.core.shown_paths import LOGS, MODEL, OUTPUT, is_segment

_S3_URI = re.compile(r"s3://(?P<bucket>[a-zA-Z0-9][a-zA-Z0-9._-]+)/(?P<key>[^\x00]+)", re.DOTALL)
_OWN_FOLDER = (TRAINING_JOB, AUTOML_JOB, ENDPOINT)
_UNCOMPRESSED = "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Place:
    """An object, or all below a folder; never a whole bucket.

    Attributes
    ----------
    bucket
        Name of the bucket.
    key
        Of the object; a folder's ends with a slash.
    """

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str | None) -> S3Place | None:
        """Read an S3 URI; None for what is none, or names no more than a bucket."""
        found = _S3_URI.fullmatch(uri or "")
        return cls(bucket=found["bucket"], key=found["key"]) if found else None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.key.endswith("/")

    @property
    def name(self) -> str:
        """The last name of its key."""
        return self.key.rstrip("/").rpartition("/")[2]

    def folder(self) -> S3Place:
        """Return the folder of this name: its key ends with a slash."""
        return S3Place(bucket=self.bucket, key=f"{self.key.rstrip('/')}/")

    def below(self, *names: str) -> S3Place:
        """Return the place of an object in this folder."""
        return S3Place(bucket=self.bucket, key=self.folder().key + "/".join(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFiles:
    """What a job has beside its description.

    Attributes
    ----------
    log_group
        Its CloudWatch Logs group; None where its kind has none.
    stream_prefix
        How the names of its streams in that group begin.
    model
        Its model, an object or a folder; None as long as there is none.
    outputs
        Name → folder. The only one that the job has as a whole goes by an empty name.
    """

    log_group: str | None = None
    stream_prefix: str = ""
    model: S3Place | None = None
    outputs: Mapping[str, S3Place]

    @property
    def parts(self) -> tuple[str, ...]:
        """Which of ``logs``, ``model`` and ``output`` it has."""
        has = {LOGS: self.log_group, MODEL: self.model, OUTPUT: self.outputs}
        return tuple(name for name, found in has.items() if found)

    def place(self, tree: str, names: tuple[str, ...]) -> S3Place | None:
        """Find the place in S3 of a path below ``model`` or ``output``.

        Parameters
        ----------
        tree
            ``model`` or ``output``.
        names
            What follows it.

        Returns
        -------
        S3Place or None
            None for what the job does not have, and for the list of several outputs.
        """
        if tree == MODEL:
            return _model_place(self.model, names)
        if "" in self.outputs:
            return _within(self.outputs[""], names)
        found = self.outputs.get(names[0]) if names else None
        return _within(found, names[1:]) if found else None


def job_files(job: Job) -> JobFiles:
    """Tell what a job has beside its description.

    Parameters
    ----------
    job
        As AWS describes it.
    """
    answer = json.loads(job.document)
    return JobFiles(
        log_group=job.log_group or None,
        stream_prefix=job.stream_prefix,
        model=_model(job, answer),
        outputs=dict(_outputs(job, answer)),
    )


def parts_of(kind: JobKind) -> tuple[str, ...]:
    """Tell which of ``logs``, ``model`` and ``output`` a job of a kind may have."""
    may_have = {
        LOGS: kind.log_group is not None,
        MODEL: kind is TRAINING_JOB,
        OUTPUT: kind in (*_OWN_FOLDER, PROCESSING_JOB, TRANSFORM_JOB),
    }
    return tuple(name for name, might in may_have.items() if might)


def _model(job: Job, answer: Mapping[str, Any]) -> S3Place | None:
    """Find the model where SageMaker itself says where it put it, not whoever made the record."""
    if job.kind is not TRAINING_JOB:
        return None
    place = S3Place.parse(job.model_artifact)
    uncompressed = text(answer, "OutputDataConfig", "CompressionType") == _UNCOMPRESSED
    return place.folder() if place and uncompressed else place


def _model_place(model: S3Place | None, names: tuple[str, ...]) -> S3Place | None:
    if model is None or model.is_folder:
        return _within(model, names) if model else None
    return model if names == (model.name,) else None


def _within(folder: S3Place, names: tuple[str, ...]) -> S3Place:
    return folder.below(*names) if names else folder


def _outputs(job: Job, answer: Mapping[str, Any]) -> Iterator[tuple[str, S3Place]]:
    if job.kind is PROCESSING_JOB:
        yield from _named_outputs(parts(answer, "ProcessingOutputConfig", "Outputs"))
        return
    place = S3Place.parse(_output_uri(job, answer))
    if place:
        yield "", place.folder()


def _output_uri(job: Job, answer: Mapping[str, Any]) -> str | None:
    if job.output is None or not job.output.startswith("s3://"):
        return None
    if job.kind in _OWN_FOLDER:
        return f"{job.output.rstrip('/')}/{job.name}/"
    return job.output if job.kind is TRANSFORM_JOB and part(answer, "TransformOutput") else None


def _named_outputs(entries: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, S3Place]]:
    """Give the outputs that are written to S3, by a name that can stand in a path."""
    for number, entry in enumerate(entries, start=1):
        place = S3Place.parse(s3_uri(entry, "S3Output", "S3Uri"))
        name = text(entry, "OutputName") or ""
        if place:
            yield name if is_segment(name) else f"output-{number}", place.folder()
