"""Removes mirrored runs for good: first what that would be, then, if the user agrees, the deed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.describe import iso_utc, to_ms
from mlflow_smwatch.core.errors import JobError, StopError, reason
from mlflow_smwatch.core.matching import KnownRun, is_note
from mlflow_smwatch.core.watermark import STATE_TAG
from mlflow_smwatch.report import Failure, Warned
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.removal import Remover
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.store import Tracking, open_tracking
from mlflow_smwatch.tracking.uris import shown_uri

_UNKNOWN = "no run of a job of this name, ARN or run id is in MLflow: 'smwatch status' tells more"
_FORGOTTEN = "it is forgotten already; a deleted run without contents stays as a note of that"
_NO_JOB = "it stands for no job of SageMaker's"
_ADOPTED = (
    "the job's own script logged it, and the mirror only added to it: delete it in MLflow, and the"
    " mirror leaves it so"
)
_FOREIGN = f"the mirror did not make it (it has no tag {names.VERSION}): delete it in MLflow"
_COPY = (
    "it does not start when its job was made, as the mirror's runs do: it is a copy; delete it in"
    " MLflow"
)


@dataclass(frozen=True, slots=True)
class ForgottenRun:
    """A run that was removed, or in a dry run would be."""

    arn: str
    name: str
    run_id: str
    experiment_id: str


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run that is not the mirror's to remove, and why."""

    arn: str
    name: str
    run_id: str
    reason: str


@dataclass(slots=True, kw_only=True)
class ForgetReport:
    """The result of a removal.

    Attributes
    ----------
    removed, kept
        One entry each.
    failed
        What was typed and stands for no run; runs that could not be removed, by ARN.
    warnings
        What is left of runs, and what is forgotten already.
    erased
        Whether nothing of the removed runs is left; else they are deleted as MLflow's pages do it.
    unmet
        Whether something that was typed led to refusals alone. Not in the JSON document.
    dry_run
        Whether nothing was removed.
    """

    removed: list[ForgottenRun] = field(default_factory=list)
    kept: list[KeptRun] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    erased: bool = True
    unmet: bool = False
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the document that ``--json`` prints."""
        document: dict[str, Any] = {
            "removed": [asdict(each) for each in self.removed],
            "kept": [asdict(each) for each in self.kept],
            "failed": [asdict(each) for each in self.failed],
            "warnings": [asdict(each) for each in self.warnings],
            "erased": self.erased,
        }
        return document | {"dry_run": True} if self.dry_run else document


@dataclass(slots=True, kw_only=True)
class Removal:
    """What is to be removed; nothing is, before :meth:`carry_out`.

    Attributes
    ----------
    store
        Tracking URI, without its password.
    erases
        Whether nothing of the runs will be left.
    runs
        The runs, those of one job together.
    """

    store: str
    erases: bool
    runs: tuple[KnownRun, ...]
    _report: ForgetReport
    _noted: set[tuple[str, str]]
    _index: RunIndex
    _remover: Remover

    @property
    def lines(self) -> tuple[ForgottenRun, ...]:
        """The runs, as a report names them."""
        return tuple(_line(run) for run in self.runs)

    def forecast(self) -> ForgetReport:
        """Say what would be removed."""
        return replace(self._report, removed=list(self.lines), dry_run=True)

    def carry_out(self) -> ForgetReport:
        """Remove the runs; one that cannot be removed is a failure, the others go on.

        Raises
        ------
        TrackingError
            When MLflow is gone, and nothing was removed.
        """
        report = self._report
        for run in self.runs:
            try:
                self._remove(run)
            except StopError as error:
                if not report.removed:
                    raise
                report.failed.append(Failure(_arn(run), str(error)))
            except Exception as error:  # noqa: BLE001 - the border of one run: the others go on
                report.failed.append(Failure(_arn(run), f"run {run.run_id}: {reason(error)}"))
        return report

    def _remove(self, run: KnownRun) -> None:
        """Remove a run as it is by now: somebody may have changed it since it was shown."""
        now = self._index.reread(run)
        if _arn(now) != _arn(run) or not now.mirrored:
            message = "it was changed since it was looked at"
            raise JobError(message)
        job = _job(run)
        left = self._remover.remove(now, noted=job in self._noted)
        self._noted.add(job)
        self._report.removed.append(_line(run))
        self._report.warnings += [Warned(_arn(run), each) for each in left]


def find(asked: Sequence[str], tracking_uri: str | None = None) -> Removal:
    """Find the runs that are to be removed for good.

    Parameters
    ----------
    asked
        Names or ARNs of jobs, or run ids; a name that stands for several jobs means all of them.
    tracking_uri
        MLflow tracking URI; None for MLflow's own choice.

    Returns
    -------
    Removal
        Only runs that the mirror made, deleted ones too; the others are kept, with the reason.

    Raises
    ------
    TrackingError
        When MLflow cannot be used, or nothing was ever written there.
    """
    tracking = open_tracking(tracking_uri, create=False)
    experiments = Experiments(tracking)
    return _Finder(tracking, experiments).find(asked)


class _Finder:
    """Tells runs that may be removed from others."""

    def __init__(self, tracking: Tracking, experiments: Experiments) -> None:
        self._tracking = tracking
        self._index = RunIndex(tracking, experiments)
        now_ms = to_ms(datetime.now(tz=timezone.utc))
        self._remover = Remover(tracking, experiments, now_ms)
        self._report = ForgetReport(erased=self._remover.erases)
        self._runs: dict[str, KnownRun] = {}
        self._kept: dict[str, KeptRun] = {}
        self._notes: dict[str, KnownRun] = {}

    def find(self, asked: Iterable[str]) -> Removal:
        for text in dict.fromkeys(asked):
            self._sort(text, self._index.named(text))
        self._report.kept = list(self._kept.values())
        return Removal(
            store=shown_uri(self._tracking.uri),
            erases=self._remover.erases,
            runs=tuple(sorted(self._runs.values(), key=lambda run: (_arn(run), -run.start_ms))),
            _report=self._report,
            _noted={_job(run) for run in self._notes.values()},
            _index=self._index,
            _remover=self._remover,
        )

    def _sort(self, text: str, runs: Sequence[KnownRun]) -> None:
        if not runs:
            self._report.failed.append(Failure(text, _UNKNOWN))
            return
        for run in runs:
            why_not = _refusal(run)
            if why_not is not None:
                self._kept[run.run_id] = KeptRun(_arn(run), _name(run), run.run_id, why_not)
            elif self._is_done(run):
                self._notes[run.run_id] = run
            else:
                self._runs[run.run_id] = run
        ours = [run for run in runs if run.run_id not in self._kept]
        self._report.unmet |= not ours
        if ours and not any(run.run_id in self._runs for run in ours):
            self._report.warnings.append(Warned(_arn(ours[0]), _FORGOTTEN))

    def _is_done(self, run: KnownRun) -> bool:
        """Whether this store can do no more about a run."""
        if not self._remover.erases:
            return not run.active and names.FORGOTTEN in run.tags
        return not run.active and is_note(run)


def _refusal(run: KnownRun) -> str | None:
    if names.ARN not in run.tags:
        return _NO_JOB
    if not run.mirrored:
        return _ADOPTED if STATE_TAG in run.tags else _FOREIGN
    return None if run.tags.get(names.CREATED) == iso_utc(run.start_ms) else _COPY


def _line(run: KnownRun) -> ForgottenRun:
    return ForgottenRun(_arn(run), _name(run), run.run_id, run.experiment_id)


def _job(run: KnownRun) -> tuple[str, str]:
    return _arn(run).lower(), run.tags.get(names.CREATED, "")


def _arn(run: KnownRun) -> str:
    return run.tags.get(names.ARN, "")


def _name(run: KnownRun) -> str:
    return run.tags.get(names.NAME, "")
