"""Timestamps of AWS's answers, parsed fast: a page of metrics holds tens of thousands of them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import botocore.session
from botocore.utils import parse_timestamp


def parse_fast(session: botocore.session.Session) -> None:
    """Have a session's clients parse numbers by Python's own means, everything else as ever."""
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)


def _moment(value: Any) -> datetime:
    """Turn seconds since the epoch, or a text, into a moment; a number's is in UTC."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, tz=timezone.utc)
    moment: datetime = parse_timestamp(value)
    return moment
