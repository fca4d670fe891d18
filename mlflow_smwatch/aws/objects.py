"""Objects in S3: what lies in a folder, one level deep, and whole objects into files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig

from mlflow_smwatch.aws.operations import GET_OBJECT, LIST_OBJECTS
from mlflow_smwatch.aws.session import Aws, ask, aws_errors
from mlflow_smwatch.core.errors import JobError, RetriableError
from mlflow_smwatch.core.job_files import S3Place

_MEGABYTE = 1024 * 1024
_RANGED = TransferConfig(
    multipart_threshold=16 * _MEGABYTE,
    multipart_chunksize=8 * _MEGABYTE,
    max_concurrency=4,
    max_io_queue=64,
    io_chunksize=_MEGABYTE // 4,
)
"""Larger objects come in ranges, a few at a time, and go to the disk piece by piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Entry:
    """Something in a folder.

    Attributes
    ----------
    name
        Its name in that folder, without a slash.
    size
        Bytes of an object; None for a folder.
    """

    name: str
    size: int | None


class ObjectReader:
    """Reads objects; may be used by several threads.

    Parameters
    ----------
    aws
        Account, and the Region that is asked first: botocore follows a bucket into its own.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def entries(self, folder: S3Place) -> Iterator[S3Entry]:
        """List what lies in a folder (``ListObjectsV2``, 1,000 a call).

        Parameters
        ----------
        folder
            The folder; what lies below its folders is not listed.

        Yields
        ------
        S3Entry
            In the order of S3 on each page, folders after objects. The folder's own marker, an
            empty object of its name, is none.

        Raises
        ------
        ObjectGoneError
            There is no such bucket.
        AccessDeniedError, RetriableError, StopError
            As :func:`~mlflow_smwatch.aws.session.aws_errors` says.
        """
        request = {"Bucket": folder.bucket, "Prefix": folder.key, "Delimiter": "/"}
        while True:
            answer = self._list(request)
            for each in answer.get("Contents", ()):
                if each["Key"] != folder.key:
                    yield S3Entry(name=each["Key"].removeprefix(folder.key), size=each["Size"])
            for each in answer.get("CommonPrefixes", ()):
                name = each["Prefix"].removeprefix(folder.key).removesuffix("/")
                yield S3Entry(name=name, size=None)
            if not answer["IsTruncated"]:
                return
            request["ContinuationToken"] = answer["NextContinuationToken"]

    def size(self, place: S3Place) -> int | None:
        """Tell how many bytes an object has; None where there is none (``ListObjectsV2``).

        Raises
        ------
        SmwatchError
            As for :meth:`entries`.
        """
        answer = self._list({"Bucket": place.bucket, "Prefix": place.key, "MaxKeys": 1})
        first = next(iter(answer.get("Contents", ())), None)
        return int(first["Size"]) if first and first["Key"] == place.key else None

    def below(self, folder: S3Place) -> tuple[list[tuple[str, int]], bool]:
        """List the first 1,000 objects below a folder, at any depth (one ``ListObjectsV2``).

        Parameters
        ----------
        folder
            The folder.

        Returns
        -------
        list of (str, int)
            What follows the folder in the key, and bytes.
        bool
            Whether there are more.

        Raises
        ------
        SmwatchError
            As for :meth:`entries`.
        """
        answer = self._list({"Bucket": folder.bucket, "Prefix": folder.key})
        found = answer.get("Contents", ())
        listed = [(each["Key"].removeprefix(folder.key), int(each["Size"])) for each in found]
        return listed, bool(answer["IsTruncated"])

    def read(self, place: S3Place, limit: int) -> bytes:
        """Read a small object (``GetObject``).

        Parameters
        ----------
        place
            The object.
        limit
            How many bytes it may have.

        Raises
        ------
        ObjectGoneError
            There is no such object.
        JobError
            It is larger.
        AccessDeniedError, RetriableError, StopError
            As :func:`~mlflow_smwatch.aws.session.aws_errors` says.
        """
        with aws_errors(GET_OBJECT):
            answer = self._aws.s3.get_object(Bucket=place.bucket, Key=place.key)
            with answer["Body"] as body:
                content: bytes = body.read(limit + 1)
        if len(content) > limit:
            message = f"{place.name} has more than {limit:,} bytes"
            raise JobError(message)
        return content

    def download(self, place: S3Place, file: Path) -> None:
        """Write an object into a file, in constant memory (``HeadObject``, ranged ``GetObject``).

        Raises
        ------
        ObjectGoneError
            There is no such object.
        AccessDeniedError, RetriableError, StopError
            As :func:`~mlflow_smwatch.aws.session.aws_errors` says.
        """
        try:
            with aws_errors(GET_OBJECT):
                self._aws.s3.download_file(place.bucket, place.key, str(file), Config=_RANGED)
        except Boto3Error as error:
            message = f"{GET_OBJECT} failed ({error}); run again later"
            raise RetriableError(message) from error

    def signed_url(self, place: S3Place, lasts_s: int) -> str:
        """Make an address under which anyone can read an object for a while; no call is made.

        Parameters
        ----------
        place
            The object.
        lasts_s
            For how many seconds.
        """
        with aws_errors(GET_OBJECT):
            attachment = f'attachment; filename="{_quotable(place.name)}"'
            url: str = self._aws.s3.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": place.bucket,
                    "Key": place.key,
                    "ResponseContentDisposition": attachment,
                },
                ExpiresIn=lasts_s,
            )
            return url

    def _list(self, request: dict[str, Any]) -> Any:
        return ask(LIST_OBJECTS, self._aws.s3.list_objects_v2, request, "IsTruncated")


def _quotable(name: str) -> str:
    """Replace what cannot stand in a quoted file name of a header."""
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
