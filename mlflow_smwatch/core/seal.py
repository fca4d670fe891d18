"""The seal of a run: proof that the mirror, and nobody else, wrote which job it stands for.

Anyone who may write to MLflow may edit a tag, so a tag alone is no reason to show a job's logs and
S3 objects with the rights of a server. The seal binds run, ARN and CreationTime with a key: it does
not fit another run, and a run whose ARN was edited loses it.
"""

from __future__ import annotations

import hashlib
import hmac
import re

_FORM = "1"
_WELL_FORMED = re.compile(rf"{_FORM}:([0-9]{{1,15}}):[0-9a-f]{{64}}")


def seal(key: bytes, run_id: str, arn: str, created_ms: int) -> str:
    """Seal what a run stands for.

    Parameters
    ----------
    key
        The store's key, or :func:`knowledge` where it has none.
    run_id
        The run.
    arn
        ARN of the job, trial or endpoint.
    created_ms
        Its CreationTime: a deleted name that is used again is another job.

    Returns
    -------
    str
        The value of the tag ``smwatch.seal``: form, CreationTime (ms), HMAC-SHA256 in hex.
    """
    text = "\n".join((_FORM, run_id, arn, str(created_ms)))
    digest = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"{_FORM}:{created_ms}:{digest}"


def is_sealed(tag: str | None, key: bytes, run_id: str, arn: str, created_ms: int) -> bool:
    """Whether a tag is the seal of these."""
    expected = seal(key, run_id, arn, created_ms)
    return tag is not None and hmac.compare_digest(tag.encode(), expected.encode())


def sealed_creation_ms(tag: str | None) -> int | None:
    """Return the CreationTime (ms) that a seal speaks of, None for what is no seal."""
    found = _WELL_FORMED.fullmatch(tag or "")
    return int(found[1]) if found else None


def knowledge(arn: str, created_ms: int, role_arn: str | None) -> bytes:
    """Derive a key from what only those know who may read the job in AWS or its run in MLflow.

    For mirrors that write through a server and share no secret with it: such a seal keeps a run
    from showing another job by an edited tag, and a stranger from showing a job that he cannot
    read.

    Parameters
    ----------
    arn, created_ms, role_arn
        As AWS describes the job; CreationTime to the millisecond.
    """
    return hashlib.sha256("\n".join((arn, str(created_ms), role_arn or "")).encode()).digest()
