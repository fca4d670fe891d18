"""The rule of a composite alarm → the alarms that it names ("PutCompositeAlarm", ``AlarmRule``).

A rule joins ``ALARM(…)``, ``OK(…)`` and ``INSUFFICIENT_DATA(…)`` of one alarm each, and
``AT_LEAST(2, ALARM, (…, …))`` of several, by AND, OR and NOT. An alarm is named by its name or its
ARN, with double quotes or without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_FUNCTION = re.compile(r"\b(?P<name>ALARM|OK|INSUFFICIENT_DATA|AT_LEAST)\s*\(")
_LIST = re.compile(r"[^,()\"]*,\s*(?:NOT\s+)?(?:ALARM|OK|INSUFFICIENT_DATA)\s*,\s*\(")
_QUOTED = re.compile(r'\s*"(?P<name>(?:[^"\\]|\\.)*)"\s*(?=[,)]|\Z)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ARN = re.compile(r"arn:[^:]+:cloudwatch:[^:]*:[^:]*:alarm:(?P<name>.+)", re.DOTALL)


def alarms_in(rule: str) -> tuple[str, ...]:
    """List the names of the alarms that a rule depends on, each once, in its order.

    Of text that is no rule whatever can be read is taken: a name that nobody has does no harm.

    Parameters
    ----------
    rule
        ``AlarmRule`` of a composite alarm.
    """
    return tuple(dict.fromkeys(map(_name, _operands(rule))))


def _operands(rule: str) -> Iterator[str]:
    position = 0
    while found := _FUNCTION.search(rule, position):
        position = found.end()
        if found["name"] == "AT_LEAST":
            opened = _LIST.match(rule, position)
            if opened is None:
                continue
            position, is_list = opened.end(), True
        else:
            is_list = False
        while True:
            operand, position = _operand(rule, position, ends=",)" if is_list else ")")
            if operand:
                yield operand
            if not is_list or rule[position : position + 1] != ",":
                break
            position += 1


def _operand(rule: str, position: int, ends: str) -> tuple[str, int]:
    """Read a name from a place on; give it and where it ends."""
    quoted = _QUOTED.match(rule, position)
    if quoted is not None:
        return _ESCAPED.sub(r"\1", quoted["name"]), quoted.end()
    depth, at = 0, position
    while at < len(rule) and (depth or rule[at] not in ends):
        depth += {"(": 1, ")": -1}.get(rule[at], 0)
        at += 1
    return rule[position:at].strip(), at


def _name(operand: str) -> str:
    arn = _ARN.fullmatch(operand)
    return arn["name"] if arn else operand
