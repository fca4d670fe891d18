"""Errors of the emulated account, as AWS names them."""

from __future__ import annotations

from typing import NoReturn


class AwsError(Exception):
    """An error answer.

    Parameters
    ----------
    code
        The code that the client sees, such as ``ValidationException``.
    message
        The text beside it.
    status
        HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code = code
        self.message = message
        self.status = status
        super().__init__(f"{code}: {message}")


def refuse(code: str, message: str, status: int = 400) -> NoReturn:
    """Raise an :class:`AwsError`; the parameters are its own."""
    raise AwsError(code, message, status)


class NotOursError(Exception):
    """The request concerns a resource that the underlying emulator keeps."""
