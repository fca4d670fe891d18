"""What a check of the surroundings has found, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, Literal, TypeAlias

Status: TypeAlias = Literal["ok", "warn", "bad"]

OK: Final = "ok"
WARN: Final = "warn"
BAD: Final = "bad"

_SEPARATORS = ("; ", ": ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check.

    Attributes
    ----------
    check
        What was looked at: a word, or an IAM action.
    status
        ``ok``; ``warn`` where it works and could be better; ``bad`` where something does not work.
    detail
        What was found, one line.
    fix
        What to do, one line; None where there is nothing to do.
    """

    check: str
    status: Status = OK
    detail: str
    fix: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        """Return it as a member of the document that ``--json`` prints."""
        return asdict(self)


def failed(check: str, error: BaseException, status: Status = BAD) -> Finding:
    """Make a finding of an error, whose message ends with what to do.

    Parameters
    ----------
    check
        What was looked at.
    error
        One of this package's.
    status
        How bad it is.
    """
    text = str(error)
    end, separator = max((text.rfind(each), each) for each in _SEPARATORS)
    if end < 0:
        return Finding(check=check, status=status, detail=text)
    detail, fix = text[:end], text[end + len(separator) :]
    return Finding(check=check, status=status, detail=detail, fix=fix)
