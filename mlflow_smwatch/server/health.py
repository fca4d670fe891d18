"""Whether the mirror is alive and what it mirrors is fresh: a judgement of what is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mlflow_smwatch.server.documents import number, seconds_of

State = Literal["fresh", "starting", "waiting", "stale", "ended", "absent"]

SILENT_S = 20.0
"""After how long without a sign of life the elected worker counts as gone."""

FRESH_S = 600.0
"""How old the last whole pass may be, at least; otherwise five intervals."""

_INTERVALS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The judgement.

    Attributes
    ----------
    ok
        Whether the mirror lives, and is fresh or may become so.
    state
        In one word.
    reason
        In a sentence.
    """

    ok: bool
    state: State
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the document of ``/smwatch/health``."""
        return {"ok": self.ok, "state": self.state, "reason": self.reason}


def judge(
    worker: Mapping[str, Any], watch: Mapping[str, Any], now: float, refusal: str | None = None
) -> Health:
    """Judge.

    Parameters
    ----------
    worker
        What the elected worker tells.
    watch
        The status file of its mirror.
    now
        Seconds since the epoch.
    refusal
        Why this server runs no mirror at all.

    Returns
    -------
    Health
    """
    if refusal is not None:
        return Health(ok=False, state="absent", reason=refusal)
    beat = seconds_of(worker.get("beat_at"))
    if worker.get("state") == "ended" and beat is not None and now - beat <= SILENT_S:
        message = worker.get("message") or f"exit code {worker.get('exit_code')}"
        reason = f"the mirror ended: {message}"
        return Health(ok=False, state="ended", reason=reason)
    if worker.get("state") != "running" or beat is None or now - beat > SILENT_S:
        return Health(ok=False, state="absent", reason="no worker runs the mirror at this moment")
    return _judge_running(worker, watch, now)


def _judge_running(worker: Mapping[str, Any], watch: Mapping[str, Any], now: float) -> Health:
    is_its_own = watch.get("pid") == worker.get("pid")
    document = watch if is_its_own else {}
    limit_s = max(FRESH_S, _INTERVALS * (number(document.get("interval_s")) or 0))
    whole = seconds_of(document.get("whole_pass_ended_at"))
    error = document.get("error")
    signs = [seconds_of(worker.get("started_at")), whole]
    if document.get("state") == "passing":
        signs.append(seconds_of(document.get("progressed_at")))
    age_s = now - max((each for each in signs if each is not None), default=0.0)
    if age_s > limit_s:
        reason = error or f"no whole pass for {age_s:.0f} s"
        return Health(ok=False, state="stale", reason=str(reason))
    if error:
        return Health(ok=True, state="waiting", reason=f"waiting until it works again: {error}")
    if whole is None:
        return Health(ok=True, state="starting", reason="the first pass is not finished yet")
    return Health(
        ok=True, state="fresh", reason=f"the last whole pass ended {now - whole:.0f} s ago"
    )
