"""What the id of a node tells by itself, and several descriptions of one node as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job_kinds import KINDS, kind_of, name_in
from mlflow_smwatch.core.lineage import Node

JOB = "job"
DATA = "data"
MODEL = "model"
IMAGE = "image"
CODE = "code"
OTHER = "other"

_S3 = "s3://"
_ARTIFACT = "artifact"
_MODEL_DATA = "model-data"
_TRIAL_COMPONENT = "trial-component"
_BY_WORD = {
    **dict.fromkeys(KINDS, JOB),
    **dict.fromkeys((DATA, "output", "checkpoint", "dataset"), DATA),
    **dict.fromkeys((MODEL, _MODEL_DATA, "model-package", "model-package-group"), MODEL),
    IMAGE: IMAGE,
    CODE: CODE,
}
_TELLING = (_MODEL_DATA, "checkpoint", CODE, IMAGE, DATA, "output")
"""Words for data, the one that tells most first."""
_RANK = {
    **dict.fromkeys(KINDS, 0),
    **{word: rank for rank, word in enumerate(_TELLING, start=1)},
    _TRIAL_COMPONENT: 8,
    _ARTIFACT: 9,
}
_UNRANKED = 7


def is_s3(text: str) -> bool:
    """Whether a text is the URI of something in a bucket.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    bool
        True with a bucket's name after ``s3://``.
    """
    return text.startswith(_S3) and text[len(_S3) : len(_S3) + 1] not in {"", "/"}


def key_of(text: str) -> str:
    """Return what is the same for all spellings of an id.

    ARNs of SageMaker are the same in capital and small letters, since AWS writes some names into
    them in small letters; S3 URIs with and without a ``/`` at the end.

    Parameters
    ----------
    text
        ARN, URI or run id.

    Returns
    -------
    str
        The key; for anything else the text itself.
    """
    if text.startswith("arn:") and ":sagemaker:" in text:
        return text.lower()
    return text.rstrip("/") if text.endswith("/") and is_s3(text) else text


def kind_in(text: str) -> str:
    """Tell the kind of a node from its id alone.

    Parameters
    ----------
    text
        ARN, S3 URI or image URI.

    Returns
    -------
    str
        The word of its job kind, else the type in the ARN, ``data``, ``image`` or ``artifact``.
    """
    arn = _arn(text)
    if arn is not None:
        kind = kind_of(arn)
        return kind.word if kind else arn.resource_type or arn.service
    if is_s3(text):
        return DATA
    return IMAGE if ".dkr." in text else _ARTIFACT


def name_from(text: str) -> str:
    """Tell the name of a node from its id alone.

    Parameters
    ----------
    text
        ARN, S3 URI or image URI.

    Returns
    -------
    str
        The name in the ARN, or the last part of the path.
    """
    arn = _arn(text)
    if arn is not None:
        return name_in(arn)
    return text.rstrip("/").rpartition("/")[2] or text


def family_of(kind: str) -> str:
    """Sort kinds into what readers tell apart at a glance.

    Parameters
    ----------
    kind
        Of a node.

    Returns
    -------
    str
        :data:`JOB`, :data:`DATA`, :data:`MODEL`, :data:`IMAGE`, :data:`CODE` or :data:`OTHER`.
    """
    return _BY_WORD.get(kind.lower(), OTHER)


def merged(node_id: str, descriptions: Sequence[Node], spellings: Iterable[str] = ()) -> Node:
    """Make one node of all that is known of it.

    Parameters
    ----------
    node_id
        The id that it goes by.
    descriptions
        What was said of it. A mirrored run's word counts first, an earlier one's before a later
        one's; else the order makes no difference.
    spellings
        All its ids and aliases.

    Returns
    -------
    Node
        With a kind and a name. Ids of further runs are among its aliases.
    """
    if len(descriptions) <= 1:
        only = descriptions[0] if descriptions else Node(id=node_id, kind=kind_in(node_id))
        return _filled(node_id, only, only.run_id, spellings)
    run_ids = tuple(dict.fromkeys(each.run_id for each in descriptions if each.run_id))
    run = next((each for each in descriptions if each.run_id), None)
    best = Node(
        id=node_id,
        kind=run.kind if run else min((each.kind for each in descriptions), key=_telling_first),
        name=(run and run.name)
        or min((each.name for each in descriptions if each.name), default=None),
    )
    return _filled(node_id, best, next(iter(run_ids), None), (*spellings, *run_ids[1:]))


def _filled(node_id: str, node: Node, run_id: str | None, spellings: Iterable[str]) -> Node:
    """Fill in what a description lacks."""
    return Node(
        id=node_id,
        kind=node.kind,
        name=node.name or name_from(node_id),
        run_id=run_id,
        aliases=tuple(sorted({each for each in spellings if each != node_id})),
    )


def _telling_first(kind: str) -> tuple[int, str]:
    return _RANK.get(kind, _UNRANKED), kind


def _arn(text: str) -> Arn | None:
    if not is_arn(text):
        return None
    try:
        return Arn.parse(text)
    except UsageError:
        return None
