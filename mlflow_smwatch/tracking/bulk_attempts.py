"""Writes to a database until it is done: others may be quicker, or the server be away."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import IntegrityError, OperationalError

from mlflow_smwatch.tracking.refusals import AWAY
from mlflow_smwatch.tracking.uris import first_line

_ATTEMPTS = 5
_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""How long to wait for a database that is away, such as a server that is started again."""

_IN_EACH_OTHERS_WAY = re.compile("deadlock|lock wait timeout|could not serialize", re.IGNORECASE)
_Result = TypeVar("_Result")


def done(write: Callable[[], _Result]) -> _Result:
    """Write; where another writer was quicker, or the server was away, all of it once more.

    Parameters
    ----------
    write
        One transaction. It may have been committed although the connection was lost, so that doing
        it again must change nothing.

    Raises
    ------
    MlflowException
        When it is refused, or the database stays away.
    """
    races, pauses_s = _ATTEMPTS - 1, iter(_PAUSES_S)
    while True:
        try:
            return write()
        except MlflowException as error:
            if _lost_a_race(error) and races:
                races -= 1
            elif not _is_away(error) or (pause_s := next(pauses_s, None)) is None:
                raise
            else:
                time.sleep(pause_s)


def _is_away(error: MlflowException) -> bool:
    """Tell whether a database did not answer, or ended the connection."""
    cause = error.__cause__ or error.__context__
    if not isinstance(cause, OperationalError):
        return False
    is_server = not isinstance(cause.orig, sqlite3.Error)
    return is_server and bool(cause.connection_invalidated or AWAY.search(first_line(cause)))


def _lost_a_race(error: MlflowException) -> bool:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, OperationalError):
        return bool(_IN_EACH_OTHERS_WAY.search(str(cause)))
    return isinstance(cause, IntegrityError)
