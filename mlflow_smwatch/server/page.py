"""The status page: one HTML document that loads nothing.

Names, reasons and messages come from AWS and MLflow: every text is escaped, what does not print is
spelled out. Addresses are relative to the page, so that they hold behind any prefix. The documents
were written by other processes, perhaps of another version: what is missing or odd is left out.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.server.documents import counts, number, part, parts, seconds_of
from mlflow_smwatch.server.page_style import REFRESH_S, STYLE

_PILLS = {
    "fresh": ("good", "up to date"),
    "starting": ("busy", "first pass"),
    "waiting": ("warn", "waiting"),
    "stale": ("bad", "out of date"),
    "ended": ("bad", "not running"),
    "absent": ("bad", "not running"),
}
_UNKNOWN = ("bad", "not known")
_STEPS = ((60, 1, "s"), (3600, 60, "min"), (48 * 3600, 3600, "h"))
_DAY_S = 86_400
_DAYS_SHOWN = 7
_ATTENTION = ("run", "status", "written before", "warning")


def render_page(view: Mapping[str, Any], now: float) -> str:
    """Write the page.

    Parameters
    ----------
    view
        What ``/smwatch/status.json`` says.
    now
        Seconds since the epoch.

    Returns
    -------
    str
        HTML.
    """
    health, watch, store = (part(view, each) for each in ("health", "watch", "store"))
    blocks = [
        _head(health, part(view, "server")),
        _cards(watch, store, now),
        _troubles("Failures", watch, "failed", "error", store),
        _mirrored(store),
        _attention(store, now),
        _troubles("Warnings of the last passes", watch, "warnings", "warning", store),
        _spending(watch, now),
        _process(view, now),
    ]
    body = "\n".join(each for each in blocks if each)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="refresh" content="{REFRESH_S}">'
        f"<title>smwatch: {_pill(health)[1]}</title>"
        f"<style>{STYLE}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


def _head(health: Mapping[str, Any], server: Mapping[str, Any]) -> str:
    shade, word = _pill(health)
    note = "" if shade == "good" else _note(shade, health.get("reason"))
    return (
        f'<header><h1>SageMaker mirror</h1><span class="pill {shade}">{word}</span></header>\n'
        f'<p class="dim">{_text(server.get("tracking_uri"))} · <a href="./">MLflow</a> · '
        f'<a href="smwatch/status.json">status.json</a></p>{note}'
    )


def _pill(health: Mapping[str, Any]) -> tuple[str, str]:
    return _PILLS.get(str(health.get("state")), _UNKNOWN)


def _note(shade: str, text: object) -> str:
    return f'\n<p class="note {shade}" role="status">{_text(text)}</p>'


def _cards(watch: Mapping[str, Any], store: Mapping[str, Any], now: float) -> str:
    last, today = part(watch, "last_pass"), _today(watch, now)
    calls = sum(counts(today, "aws_calls").values())
    return _grid(
        (
            (_number(store.get("runs")), f"runs mirrored, {_number(store.get('open'))} still open"),
            (_number(store.get("points")), "points of metrics"),
            (_ago(store.get("synced_at"), now), "since a run was written"),
            (
                _ago(last.get("ended_at"), now),
                f"since the last pass, which took {_number(last.get('seconds'))} s",
            ),
            (_number(calls), "AWS calls today (UTC)"),
            (_usd(today.get("estimated_cost_usd", 0.0)), "estimated for these calls"),
        )
    )


def _today(watch: Mapping[str, Any], now: float) -> Mapping[str, Any]:
    """Find what was spent today; the latest day that is there may be an earlier one."""
    day = time.strftime("%Y-%m-%d", time.gmtime(now))
    return next((each for each in parts(watch, "days") if each.get("day") == day), {})


def _grid(cards: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f'<div class="card"><b>{a}</b><span>{b}</span></div>' for a, b in cards)
    return f'<div class="cards">{cells}</div>'


def _troubles(
    title: str, watch: Mapping[str, Any], key: str, member: str, store: Mapping[str, Any]
) -> str:
    """Show what failed, or what was left out, with the run's page where there is one."""
    found = parts(watch, key)[::-1]
    if not found:
        return ""
    runs = {str(each.get("arn")): each for each in parts(store, "attention")}
    rows = [
        [_job(each.get("arn"), runs), f'<td class="w">{_text(each.get(member) or "–")}</td>']
        for each in found
    ]
    return _table(title, str(len(found)), ("job", "reason"), rows)


def _job(arn: object, runs: Mapping[str, Mapping[str, Any]]) -> str:
    name = str(arn or "all jobs").rpartition("/")[2]
    shown = _link(runs.get(str(arn), {}).get("url"), name)
    hint = f' title="{_text(arn)}"' if arn else ""
    return f"<td{hint}>{shown}</td>"


def _mirrored(store: Mapping[str, Any]) -> str:
    if store.get("error"):
        return _note("bad", f"MLflow could not be read: {store['error']}")
    if not store.get("runs"):
        return _note("busy", "No run was mirrored yet.") if store else ""
    kinds = [_counted(name, count) for name, count in counts(store, "kinds").items()]
    experiments = [
        [
            f"<td>{_link(each.get('url'), each.get('experiment') or '–')}</td>",
            _cell(each.get("runs")),
        ]
        for each in parts(store, "experiments")
    ]
    return (
        f'<div class="pair"><section>{_table("Kinds", "", ("kind", "runs"), kinds)}</section>'
        f"<section>{_table('Experiments', '', ('experiment', 'runs'), experiments)}</section></div>"
    )


def _counted(name: object, count: object) -> list[str]:
    return [f"<td>{_text(name)}</td>", _cell(count)]


def _attention(store: Mapping[str, Any], now: float) -> str:
    found, more = parts(store, "attention"), number(store.get("more_attention"))
    if not found:
        return ""
    rows = [
        [
            f"<td>{_link(each.get('url'), each.get('name') or each.get('run_id') or '–')}</td>",
            f"<td>{_text(each.get('status') or '–')}</td>",
            f'<td class="n">{_ago(each.get("synced_at"), now)}</td>',
            f'<td class="w">{_text(each.get("warning") or "")}</td>',
        ]
        for each in found
    ]
    count = f"{len(found)}, and {more} more" if more else str(len(found))
    return _table("Open runs, and runs with a warning", count, _ATTENTION, rows)


def _spending(watch: Mapping[str, Any], now: float) -> str:
    days = parts(watch, "days")
    if not days:
        return ""
    total, today = counts(watch, "aws_calls"), counts(_today(watch, now), "aws_calls")
    operations = [
        [f"<td>{_text(each)}</td>", _cell(today.get(each, 0)), _cell(total.get(each, 0))]
        for each in sorted({*today, *total})
    ]
    costs = [
        [
            f"<td>{_text(each.get('day') or '–')}</td>",
            _cell(sum(counts(each, "aws_calls").values())),
            f'<td class="n">{_usd(each.get("estimated_cost_usd"))}</td>',
        ]
        for each in days[:_DAYS_SHOWN]
    ]
    calls = _table("AWS calls", "", ("operation", "today (UTC)", "since the start"), operations)
    return (
        f'<div class="pair"><section>{calls}</section>'
        f"<section>{_table('Cost', 'estimated', ('day', 'calls', 'USD'), costs)}</section></div>"
    )


def _process(view: Mapping[str, Any], now: float) -> str:
    worker, watch, server = (part(view, each) for each in ("worker", "watch", "server"))
    facts = (
        ("mirror", f"process {worker.get('pid') or '–'} on {worker.get('host') or '–'}"),
        ("run by", f"worker {worker.get('worker_pid') or '–'}"),
        ("page from", f"worker {server.get('pid')} on {server.get('host')}"),
        ("running for", _ago(worker.get("started_at"), now)),
        ("Region", watch.get("region") or "–"),
        ("interval", f"{watch.get('interval_s') or '–'} s"),
        ("passes", _number(watch.get("passes"))),
        ("version", f"smwatch {server.get('smwatch')}, MLflow {server.get('mlflow')}"),
    )
    rows = [[f'<th scope="row">{_text(a)}</th>', f"<td>{_text(b)}</td>"] for a, b in facts]
    return f"{_table('Process', '', (), rows)}\n<footer>Read anew every {REFRESH_S} s.</footer>"


def _table(title: str, aside: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(_table_parts(title, aside, heads, rows))


def _table_parts(
    title: str, aside: str, heads: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[str]:
    yield f"<h2>{_text(title)}<small>{_text(aside)}</small></h2>"
    yield '<div class="scroll"><table>'
    if heads:
        first = rows[0] if rows else [""] * len(heads)
        cells = (
            f'<th scope="col"{" class=n" if _is_numeric(cell) else ""}>{_text(head)}</th>'
            for head, cell in zip(heads, first, strict=True)
        )
        yield f"<thead><tr>{''.join(cells)}</tr></thead>"
    yield "<tbody>"
    for row in rows:
        yield f"<tr>{''.join(row)}</tr>"
    yield "</tbody></table></div>"


def _is_numeric(cell: str) -> bool:
    return cell.startswith('<td class="n"')


def _text(value: object) -> str:
    return escape(visible(str(value)))


def _link(url: object, name: object) -> str:
    """Link to a page of this server; addresses of any other form are not linked."""
    if isinstance(url, str) and url.startswith("./#/"):
        return f'<a href="{escape(url)}">{_text(name)}</a>'
    return _text(name)


def _cell(count: object) -> str:
    return f'<td class="n">{_number(count)}</td>'


def _number(value: object) -> str:
    found = number(value)
    if found is None:
        return "–"
    return f"{found:,.1f}" if isinstance(found, float) else f"{found:,}"


def _usd(value: object) -> str:
    found = number(value)
    return "–" if found is None else f"${found:.4f}"


def _ago(text: object, now: float) -> str:
    """Say how long ago a moment was."""
    then = seconds_of(text)
    if then is None:
        return "–"
    age_s = max(0, round(now - then))
    for below, unit_s, unit in _STEPS:
        if age_s < below:
            return f"{age_s // unit_s} {unit}"
    return f"{age_s // _DAY_S} days"
