"""The answers of an operation, page by page, though a token may die on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mlflow_smwatch.aws.refusals import ask
from mlflow_smwatch.core.errors import InvalidRequestError

_TRIES = 3
"""How often a listing is begun anew without getting further."""


def answers(
    action: str,
    operation: Callable[..., Any],
    request: Mapping[str, Any],
    member: str,
    token: str = "NextToken",  # noqa: S107 - the name of a member
) -> Iterator[Mapping[str, Any]]:
    """Call an operation until it has no further page.

    AWS refuses a token that has grown old while the items before it were worked on. The listing is
    begun anew then, and what was given already is left out.

    Parameters
    ----------
    action
        IAM action, for errors.
    operation
        A client's method.
    request
        Its arguments.
    member
        Member of the answer that holds the items.
    token
        Member of answer and request that leads on.

    Yields
    ------
    Mapping
        An answer; its items may be none though there is a token.

    Raises
    ------
    SmwatchError
        As :func:`~mlflow_smwatch.aws.refusals.ask` says.
    """
    asked, given, begun_anew, in_vain = dict(request), set[int](), False, 0
    while True:
        try:
            answer = ask(action, operation, asked, member)
        except InvalidRequestError:
            if token not in asked or in_vain == _TRIES:
                raise
            del asked[token]
            begun_anew, in_vain = True, in_vain + 1
            continue
        items = {_mark(each): each for each in answer[member]} if begun_anew else {}
        new = [each for mark, each in items.items() if mark not in given]
        given.update(items or map(_mark, answer[member]))
        in_vain = 0 if new else in_vain
        yield {**answer, member: new} if begun_anew else answer
        if not answer.get(token):
            return
        asked[token] = answer[token]


def _mark(item: Mapping[str, Any]) -> int:
    """Tell an item from others by its names; a record of Search has them one level down."""
    inner = next(iter(item.values()), None) if len(item) == 1 else None
    told = inner if isinstance(inner, Mapping) else item
    return hash(tuple(each for each in told.values() if isinstance(each, str)))
