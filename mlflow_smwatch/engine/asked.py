"""Jobs that are asked for by name: runs that are to come back, and jobs that are gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mlflow_smwatch.aws.discovery import Found, NotFound
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.errors import UnknownJobError
from mlflow_smwatch.core.job_kinds import PIPELINE_EXECUTION
from mlflow_smwatch.core.matching import KnownRun, is_note
from mlflow_smwatch.core.watermark import STATE_TAG
from mlflow_smwatch.engine.books import Books
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.gone import is_young
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.recognition import Recognition, alone

_NOTHING_LEFT = (
    "AWS no longer knows this job, and its run was removed by 'smwatch forget': nothing is left"
    " that could be brought back"
)


class AskedJobs:
    """What MLflow has of the jobs that a user names.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    books
        Where it is entered what becomes of each job.
    is_here
        Tells whether a run's job is of the kinds and the Region that are mirrored.
    account
        Tells whose jobs are mirrored; None where nobody does.
    """

    def __init__(
        self,
        context: PassContext,
        books: Books,
        *,
        is_here: Callable[[KnownRun], bool],
        account: Callable[[], str | None],
    ) -> None:
        self._pass = context
        self._books = books
        self._is_here = is_here
        self._account = account
        self._recognition = Recognition(context)
        self._restores = context.options.restore and not context.options.dry_run

    def bring_back(self, found: Found) -> bool:
        """Restore the run of a job that the user deleted, where that is wanted.

        Parameters
        ----------
        found
            The job.

        Returns
        -------
        bool
            False where it failed, which is entered: the job is not to be taken.
        """
        if not self._restores:
            return True
        candidates = self._pass.index.find([self._pass.identity(found)]).get(found.arn, ())
        return (
            self._is_back(found.arn, lambda: self._recognition.bring_back(found, candidates))
            is not None
        )

    def runs_of_gone(self, missing: NotFound) -> tuple[KnownRun, ...] | None:
        """Give the runs of what AWS does not have under the name that was asked for.

        One that the user has deleted too is brought back, where that is wanted; else it is entered
        that it stays so.

        Parameters
        ----------
        missing
            What was asked for, and AWS does not have.

        Returns
        -------
        tuple of KnownRun or None
            Those of the jobs that may be gone; None where MLflow has none either, or nobody can
            tell that the job is gone.
        """
        if not isinstance(missing.error, UnknownJobError):
            return None
        asked = missing.asked
        runs = [run for run in self._pass.index.named(asked) if self._is_kept(run, asked)]
        account = self._account() if runs else None
        own = [run for run in runs if Arn.parse(run.tags[names.ARN]).account == account]
        filled = [run for run in own if not is_note(run)]
        active = tuple(run for run in filled if run.active)
        if active or not own:
            return active or None
        return self._removed(filled[0]) if filled else self._forgotten(own[0])

    def _forgotten(self, note: KnownRun) -> tuple[KnownRun, ...]:
        """Say that a job is gone for good; a note that it was forgotten stays what it is."""
        arn = note.tags[names.ARN]
        if self._pass.options.restore:
            self._books.close(Outcome(arn, "failed", error=_NOTHING_LEFT))
        else:
            line = self._pass.known_line(note)
            self._books.close(Outcome(arn, "unchanged", line, warnings=(_NOTHING_LEFT,)))
        return ()

    def _removed(self, run: KnownRun) -> tuple[KnownRun, ...]:
        arn = run.tags[names.ARN]
        if self._restores:
            back = self._is_back(arn, lambda: self._recognition.restored(run))
            return (back,) if isinstance(back, KnownRun) else ()
        removed = alone(arn, lambda: self._recognition.respect_removal(run))
        stays = Outcome(arn, "unchanged", self._pass.known_line(run))
        told = removed if isinstance(removed, Outcome) else replace(stays, warnings=removed)
        self._books.close(told)
        return ()

    def _is_back(self, arn: str, restore: Callable[[], KnownRun | bool]) -> KnownRun | bool | None:
        """Restore a run, and enter it; None where that failed."""
        back = alone(arn, restore)
        if isinstance(back, Outcome):
            self._books.close(back)
            return None
        if back:
            self._books.restored.add(arn)
        return back

    def _is_kept(self, run: KnownRun, asked: str) -> bool:
        """Whether a run is the mirror's, of a job from here that is not too young to be told of."""
        ours = run.mirrored or STATE_TAG in run.tags
        if not ours or names.DUPLICATE_OF in run.tags or not self._is_here(run):
            return False
        return not (is_named_so(run, asked) and is_young(run, self._pass.now_ms))


def is_named_so(run: KnownRun, asked: str) -> bool:
    """Whether AWS was asked for the job of a run itself.

    A run is known by more than AWS knows its job by: by its own id, by the name of the job's trial
    component, which may be deleted alone, and an execution by a name that ``Search`` alone tells.

    Parameters
    ----------
    run
        Of a job that the mirror knows.
    asked
        Name or ARN that AWS was asked for.
    """
    if is_arn(asked):
        return run.tags[names.ARN].lower() == asked.lower()
    is_execution = run.tags.get(names.KIND) == PIPELINE_EXECUTION.word
    return run.tags.get(names.NAME) == asked and not is_execution
