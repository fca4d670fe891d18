"""What is said on stderr: lines of text, or log records as JSON lines."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from mlflow_smwatch.cli.config import is_from_the_file
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.report import KEPT, Failure, SyncReport, Warned, without_counts

logger = logging.getLogger("mlflow_smwatch.cli")

_QUIET_LOGGERS = {
    "mlflow": logging.ERROR,
    "mlflow.store.db.utils": logging.CRITICAL,
    "alembic": logging.WARNING,
    "botocore": logging.ERROR,
    "opentelemetry.exporter": logging.CRITICAL,
    "mlflow_smwatch": logging.ERROR,
    "mlflow_smwatch.alerts": logging.WARNING,
    "mlflow_smwatch.exporters": logging.WARNING,
    "mlflow_smwatch.watch": logging.WARNING,
    "mlflow_smwatch.aws.cloudwatch": logging.WARNING,
    "mlflow_smwatch.aws.queue": logging.WARNING,
    "mlflow_smwatch.engine.cluster": logging.WARNING,
    "mlflow_smwatch.tracking.bulk_store": logging.WARNING,
}
_OF_A_SERVICE = ("mlflow_smwatch.cli", "mlflow_smwatch.watch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """Says what is not the result.

    Attributes
    ----------
    as_records
        As log records, for which :func:`log_as_json` has been called; else as lines of text.
    """

    as_records: bool

    def note(self, message: str, **fields: object) -> None:
        """Say something that is as it should be.

        Parameters
        ----------
        message
            One line.
        **fields
            Further members of a record.
        """
        if self.as_records:
            logger.info(message, extra=fields)
        else:
            _say(message)

    def warning(self, warned: Warned) -> None:
        """Say what was left out.

        Parameters
        ----------
        warned
            The job, or none for all jobs, and what of it.
        """
        if self.as_records:
            logger.warning(warned.warning, extra={"arn": warned.arn} if warned.arn else None)
        else:
            _say(f"Warning: {warned.arn or 'all jobs'}: {warned.warning}")

    def error(self, message: str, arn: str | None = None) -> None:
        """Say what went wrong.

        Parameters
        ----------
        message
            One line.
        arn
            The job, or what was typed for one.
        """
        if self.as_records:
            logger.error(message, extra={"arn": arn} if arn is not None else None)
        else:
            _say(f"Error: {arn}: {message}" if arn is not None else f"Error: {message}")

    def troubles(self, failed: Iterable[Failure], warned: Iterable[Warned]) -> None:
        """Say which jobs failed and what was left out.

        Parameters
        ----------
        failed, warned
            As a report has them.
        """
        for failure in failed:
            self.error(failure.error, failure.arn)
        for each in warned:
            self.warning(each)

    def name_default_store(self, tracking_uri: str | None) -> None:
        """Say where MLflow writes, unless the user said so in the command or a variable.

        Parameters
        ----------
        tracking_uri
            What the user, or the configuration file, said.
        """
        if tracking_uri is None or is_from_the_file("tracking_uri"):
            from mlflow_smwatch.api import shown_tracking_uri

            uri = shown_tracking_uri(tracking_uri)
            self.note(f"MLflow tracking URI: {uri}", tracking_uri=uri)


def _say(line: str) -> None:
    """Write one line on stderr, whatever text of AWS's or of a run's it has in it."""
    click.echo(visible(line), err=True)


class _OneLine(logging.Formatter):
    """Writes a record on one line; the lines of a traceback as they are, but printable."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return visible(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802 - logging's own
        return "\n".join(map(visible, super().formatException(ei).split("\n")))


class News:
    """Tells the troubles of a pass from those that were told after an earlier one.

    Of very many jobs with troubles, those of which nothing was heard for longest are forgotten.
    """

    def __init__(self) -> None:
        self._told: dict[str | None, set[tuple[type, str]]] = {}

    def of(self, report: SyncReport) -> tuple[list[Failure], list[Warned]]:
        """Return what is new; a job that was mirrored without trouble may be told of again.

        A trouble is the same when nothing but its numbers changed.

        Parameters
        ----------
        report
            The report of one pass.

        Returns
        -------
        tuple of list
            Failures and warnings.
        """
        failed = [each for each in report.failed if self._is_new(each)]
        warned = [each for each in report.warnings if self._is_new(each)]
        troubles: dict[str | None, set[tuple[type, str]]] = {}
        everything: list[Failure | Warned] = [*report.failed, *report.warnings]
        for each in everything:
            troubles.setdefault(each.arn, set()).add(_identity(each))
        for arn in (None, *(run.arn for run in report.runs), *troubles):
            self._told.pop(arn, None)
        self._told |= troubles
        for arn in list(self._told)[:-KEPT]:
            del self._told[arn]
        return failed, warned

    def _is_new(self, trouble: Failure | Warned) -> bool:
        return _identity(trouble) not in self._told.get(trouble.arn, ())


def _identity(trouble: Failure | Warned) -> tuple[type, str]:
    text = trouble.error if isinstance(trouble, Failure) else trouble.warning
    return type(trouble), without_counts(text)


@contextlib.contextmanager
def quiet(*, verbose: bool, log_json: bool = False) -> Iterator[None]:
    """Keep everything but the result away from stdout, and libraries' chatter from stderr.

    Parameters
    ----------
    verbose
        Let the libraries' chatter through.
    log_json
        Write log records as JSON lines.

    Yields
    ------
    None
    """
    with contextlib.redirect_stdout(sys.stderr):
        if log_json or not verbose:
            os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
            # MLflow sets up its loggers while it is imported: so not before.
            import mlflow_smwatch.engine.mirror  # noqa: F401 - brings MLflow in
        if not verbose:
            warnings.simplefilter("ignore")
            for name, level in _QUIET_LOGGERS.items():
                logging.getLogger(name).setLevel(level)
        if log_json:
            log_as_json(verbose=verbose)
        elif verbose:
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(_OneLine("%(levelname)s %(name)s: %(message)s"))
            logging.basicConfig(level=logging.INFO, handlers=[handler])
        elif logging.lastResort is not None:
            logging.lastResort.setFormatter(_OneLine())
        yield


def log_as_json(*, verbose: bool) -> None:
    """Write every log record as one line of JSON on stderr, whoever logs it.

    Parameters
    ----------
    verbose
        Also those that only inform.
    """
    from pythonjsonlogger.json import JsonFormatter

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
        )
    )
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(capture=True)
    for name in _OF_A_SERVICE:
        logging.getLogger(name).setLevel(logging.INFO)
    for name in tuple(logging.root.manager.loggerDict):
        each = logging.getLogger(name)
        if each.handlers:
            each.handlers.clear()
            each.propagate = True
