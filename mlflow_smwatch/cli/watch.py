"""``smwatch watch``."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlflow_smwatch.cli.alerting import alerting, rule_options
from mlflow_smwatch.cli.config import from_file
from mlflow_smwatch.cli.day_costs import DayCosts
from mlflow_smwatch.cli.diagnostics import Diagnostics, News, quiet
from mlflow_smwatch.cli.exports import otlp_options, prometheus_option, scraped, sending
from mlflow_smwatch.cli.lifeline import stop_at_eof
from mlflow_smwatch.cli.memory import share_heaps
from mlflow_smwatch.cli.options import (
    Command,
    bill_options,
    denied_option,
    job_options,
    mirror_options,
    option,
    register_option,
    service_options,
    tracking_options,
    work_options,
)
from mlflow_smwatch.cli.output import print_result
from mlflow_smwatch.cli.signals import stopping
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.rule_targets import Target
from mlflow_smwatch.core.rules import Rule
from mlflow_smwatch.options import each_place
from mlflow_smwatch.report import SyncReport
from mlflow_smwatch.server.status_file import StatusFile

if TYPE_CHECKING:
    from mlflow_smwatch.engine.following import Follower, Listener

INTERRUPTED = 130
_SHORTEST_S = 0.1
_LONGEST_S = 86_400


@click.command(cls=Command)
@option(
    "--interval",
    "interval_s",
    type=float,
    default=60,
    show_default=True,
    help="Seconds from the beginning of one pass to that of the next; with --queue of those that"
    " look at running jobs.",
)
@option(
    "--queue",
    "queue_url",
    help="URL of an SQS queue of SageMaker's state-change events; --since and --until have no"
    " effect then.",
)
@option(
    "--status-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep a JSON document there that says how it goes: passes, failures, calls, cost.",
)
@option(
    "--until-eof",
    is_flag=True,
    help="Also stop when stdin ends, as it does when the program that started this one is gone.",
)
@job_options
@mirror_options
@register_option
@work_options
@bill_options
@denied_option
@prometheus_option
@otlp_options
@rule_options
@tracking_options
@service_options
@from_file("source", "sources")
def watch(  # noqa: PLR0913 - one for each option that is the command's own
    *,
    interval_s: float,
    queue_url: str | None,
    status_file: Path | None,
    until_eof: bool,
    prometheus: str | None,
    otlp: str | None,
    otlp_protocol: str | None,
    rules: tuple[Rule, ...],
    named: tuple[Target, ...],
    notified: tuple[str, ...],
    as_json: bool,
    log_json: bool,
    verbose: bool,
    **chosen: Any,
) -> None:
    """Mirror SageMaker jobs into MLflow continuously, running jobs live.

    The first pass takes the jobs modified since --since, each later one what came after it. With
    --queue: the jobs that EventBridge tells of, at once. SIGTERM or Ctrl-C: the batch in hand is
    finished, then it exits; a second Ctrl-C waits only for the calls under way.

    A line on stdout for each run that a pass wrote; with --json one document at the end.

    Exit codes: 0 stopped by a signal, 2 wrong usage, 3 nothing could be done.

    \b
    Examples:
      smwatch watch
      smwatch watch --interval 30 --since 1d --tag team=vision
      smwatch watch --queue https://sqs.eu-west-1.amazonaws.com/123456789012/smwatch
      smwatch watch --prometheus 9108 --otlp http://127.0.0.1:4317
      smwatch watch --config /etc/smwatch.toml --log-json
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    targets = each_place(**chosen)
    if not _SHORTEST_S <= interval_s <= _LONGEST_S:
        message = f"--interval {interval_s:g}: give seconds from {_SHORTEST_S} to {_LONGEST_S}"
        raise UsageError(message)
    say = Diagnostics(as_records=log_json)
    stopped = threading.Event()

    def tell(reason: str) -> None:
        say.note(f"{reason}: finishing the batch in hand")

    if until_eof:
        stop_at_eof(stopped, tell)
    kept = StatusFile(status_file, interval_s) if status_file else None
    costs = DayCosts(say)
    listener = _listener(
        say,
        costs,
        kept,
        lambda region: _say_what_begins(
            say, region, targets[0].tracking_uri, interval_s, queue_url
        ),
        as_json=as_json,
    )
    try:
        with stopping(stopped, tell), kept.kept() if kept else nullcontext():
            share_heaps()
            with (
                quiet(verbose=verbose, log_json=log_json),
                sending(targets, otlp, otlp_protocol, patient=False) as exports,
                scraped(exports, prometheus, interval_s, say),
                alerting(exports, rules, named, notified, targets, say) as enter_messages,
            ):
                from mlflow_smwatch.engine.following import together
                from mlflow_smwatch.watch import watch as run_watch

                if kept:
                    kept.follow_receivers(exports.states)
                report = run_watch(
                    targets,
                    interval_s=interval_s,
                    queue_url=queue_url,
                    stopped=stopped,
                    listener=together(listener, *exports.listeners),
                    observers=tuple(exports.observers),
                )
            enter_messages(report)
            document = {**report.to_dict(), "days": costs.days, **exports.to_dict()}
            print_result(document, iter(()), as_json=as_json)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _listener(
    say: Diagnostics,
    costs: DayCosts,
    kept: StatusFile | None,
    begin: Callable[[str], None],
    *,
    as_json: bool,
) -> Listener:
    """Make what hears how it goes on; stdout is the one of this moment."""
    from mlflow_smwatch.engine.following import Listener

    stdout = sys.stdout
    news = News()

    def passed(report: SyncReport) -> None:
        from mlflow_smwatch.render import sync_text

        if not as_json:
            *runs, _ = sync_text(report, ())
            for line in runs:
                click.echo(line, file=stdout)
        say.troubles(*news.of(report))
        costs.passed()

    if kept is None:
        return Listener(connected=begin, begins=costs.begins, passed=passed)

    def begins(mirror: Follower) -> None:
        costs.begins(mirror)
        kept.begins(mirror)

    def connected(region: str) -> None:
        kept.connected(region)
        begin(region)

    return Listener(
        connected=connected,
        begins=begins,
        passed=passed,
        ended=kept.ended,
        waits=kept.waits,
    )


def _say_what_begins(
    say: Diagnostics,
    region: str,
    tracking_uri: str | None,
    interval_s: float,
    queue_url: str | None,
) -> None:
    from mlflow_smwatch.api import shown_tracking_uri

    store = shown_tracking_uri(tracking_uri)
    source = f"queue {queue_url}" if queue_url else f"Region: {region}"
    say.note(
        f"watching every {interval_s:g} s; {source}; MLflow tracking URI: {store}",
        interval_s=interval_s,
        region=region,
        queue_url=queue_url,
        tracking_uri=store,
    )
