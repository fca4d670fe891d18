"""What AWS refuses for the sake of who signed a request, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase

from mlflow_smwatch.demo.errors import AwsError

LARGEST_SKEW = timedelta(minutes=5)
"""How far a signature's time may be from AWS's ("Signature Version 4", troubleshooting)."""

EXPIRED = AwsError("ExpiredTokenException", "The security token included in the request is expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a request shows besides its operation.

    Attributes
    ----------
    key
        Access key that signed it; empty for none.
    signed
        When it says that it was signed, UTC; None for not at all.
    leads_on
        Whether it asks for a further page.
    """

    key: str = ""
    signed: datetime | None = None
    leads_on: bool = False


class Signatures:
    """Refuses credentials that have expired, and signatures of another time.

    Attributes
    ----------
    skew
        How far AWS's clock is ahead of that of those who ask.
    """

    def __init__(self) -> None:
        self.skew = timedelta(0)
        self._left: dict[str, int] = {}
        self._expired: set[str] = set()

    def expire(self, pattern: str, after: int) -> None:
        """Let the key that signs the nth request, of those that match, expire with it."""
        self._left[pattern] = after

    def refusal(self, sent: Sent) -> AwsError | None:
        """Tell how a request is refused, if it is; counts it."""
        if sent.key in self._expired:
            return EXPIRED
        for pattern, left in self._left.items():
            if left >= 0 and sent.key and fnmatchcase(sent.key, pattern):
                self._left[pattern] = left - 1
                if left == 0:
                    self._expired.add(sent.key)
                    return EXPIRED
        now = datetime.now(tz=timezone.utc) + self.skew
        if self.skew and sent.signed and abs(now - sent.signed) > LARGEST_SKEW:
            return _skewed(sent.signed, now)
        return None


def _skewed(signed: datetime, now: datetime) -> AwsError:
    said, limit = (f"{each:%Y%m%dT%H%M%SZ}" for each in (signed, now - LARGEST_SKEW))
    if signed < now:
        message = f"Signature expired: {said} is now earlier than {limit} ({now:%Y%m%dT%H%M%SZ})"
    else:
        message = f"Signature not yet current: {said} is still later than {now:%Y%m%dT%H%M%SZ}"
    return AwsError("InvalidSignatureException", message)
