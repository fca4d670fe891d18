"""Pages and the opaque tokens between them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mlflow_smwatch.demo.errors import AwsError
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.validation import Parameters

T = TypeVar("T")
NOT_IN_FINGERPRINT = {"NextToken", "nextToken", "MaxResults", "MaxDatapoints", "limit"}


def encode_token(position: dict[str, Any]) -> str:
    """Make an opaque token of a position."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def decode_token(token: str) -> dict[str, Any] | None:
    """Read a position back; None for what is no token of ours."""
    try:
        position = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return position if isinstance(position, dict) else None


def fingerprint(parameters: Parameters) -> str:
    """Identify a query, so that its tokens serve no other."""
    query = {k: v for k, v in parameters.items() if k not in NOT_IN_FINGERPRINT}
    text = json.dumps(query, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Pager:
    """Cuts the result of one operation into pages.

    Parameters
    ----------
    faults
        May make pages smaller, or put empty ones between them.
    operation
        Name as in ``sagemaker:Search``.
    invalid
        Makes the operation's error for a token that is none.
    """

    def __init__(self, faults: Faults, operation: str, invalid: Callable[[], AwsError]) -> None:
        self._faults = faults
        self._operation = operation
        self._invalid = invalid

    def position(self, parameters: Parameters, token: str | None) -> dict[str, Any]:
        """Read the position that a request stands at; empty for a first page.

        Raises
        ------
        AwsError
            The token is junk, or belongs to another query.
        """
        if token is None:
            return {}
        position = decode_token(token)
        if position is None or position.get("q") != fingerprint(parameters):
            raise self._invalid()
        return position

    def is_empty_page(self, position: dict[str, Any]) -> bool:
        """Tell whether an empty page is to come before the one at this position."""
        return not position.get("e") and self._faults.has_empty_pages(self._operation)

    def token(self, parameters: Parameters, position: dict[str, Any]) -> str:
        """Make the token of a position for this query."""
        return encode_token({**position, "q": fingerprint(parameters)})

    def size(self, asked: int) -> int:
        """Give the number of items for a page."""
        return self._faults.page_limit(self._operation, asked)

    def cut(
        self, items: Sequence[T], parameters: Parameters, *, size: int, token: str | None
    ) -> tuple[Sequence[T], str | None]:
        """Cut one page out of the whole result.

        Parameters
        ----------
        items
            The whole result, in order.
        parameters
            The request's.
        size
            How many were asked for.
        token
            The request's token.

        Returns
        -------
        tuple
            The page, and the token of the next one or None.
        """
        position = self.position(parameters, token)
        start = position.get("o", 0)
        if self.is_empty_page(position):
            return (), self.token(parameters, {"o": start, "e": 1})
        end = start + self.size(size)
        following = self.token(parameters, {"o": end}) if end < len(items) else None
        return items[start:end], following
