"""One job, or a few, mirrored once: the run of each is found in the report of the pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.errors import CredentialsError, JobError, SmwatchError
from mlflow_smwatch.engine.mirror import Mirror
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import SyncReport
from mlflow_smwatch.sdk.references import JobReference
from mlflow_smwatch.tracking.mirrored_run import MirroredRun, read_mirrored

_COMPONENT_TAGS = ("sagemaker.trial_component_arn", "sagemaker.trial_component")


def options_for(reference: JobReference, options: SyncOptions) -> SyncOptions:
    """Take Region and profile of the object where the options name none.

    Parameters
    ----------
    reference
        The job.
    options
        What the user asked for.
    """
    return replace(
        options,
        region=options.region or reference.region,
        profile=options.profile or reference.profile,
    )


class JobMirror:
    """Mirrors named jobs of one account and Region, pass after pass.

    Parameters
    ----------
    options
        Where from and where to.
    stopped
        Tells whether to end early.

    Raises
    ------
    StopError
        When there are no credentials, or MLflow cannot be used.
    """

    def __init__(self, options: SyncOptions, stopped: Callable[[], bool] = lambda: False) -> None:
        self._mirror = Mirror(options, stopped)

    def text_of(self, reference: JobReference) -> str:
        """Return what names exactly one job: its ARN.

        Where nobody tells whose account this is, its name; a job of another kind that has the same
        name is then mirrored too.

        Parameters
        ----------
        reference
            The job.

        Raises
        ------
        CredentialsError
            When AWS takes none of the credentials.
        """
        if reference.arn is not None:
            return reference.arn
        aws = self._mirror.aws
        try:
            account = aws.account
        except CredentialsError:
            raise
        except SmwatchError:
            return reference.name
        named = Arn(
            partition=aws.session.get_partition_for_region(aws.region),
            service="sagemaker",
            region=aws.region,
            account=account,
            resource=f"{reference.kind.resource_type}/{reference.name}",
        )
        return str(named)

    def sync(self, texts: Iterable[str]) -> SyncReport:
        """Mirror jobs once, as they are now.

        Parameters
        ----------
        texts
            Names or ARNs.

        Raises
        ------
        StopError
            When nothing can be done.
        """
        return self._mirror.naming(tuple(texts)).sync()


def mirrored_run(
    report: SyncReport, text: str, kind_word: str | None, tracking_uri: str | None
) -> MirroredRun:
    """Find the run of a job that a pass has mirrored.

    Parameters
    ----------
    report
        Of the pass.
    text
        The job's name or ARN, as it was given to the pass.
    kind_word
        Its kind, where a name may stand for several.
    tracking_uri
        Where the runs are.

    Returns
    -------
    MirroredRun
        As it is now.

    Raises
    ------
    JobError
        When the job was not mirrored, with the reason.
    TrackingError
        When MLflow is gone.
    """
    asked = text.lower()
    for line in report.runs:
        is_asked = asked in {line.arn.lower(), line.name.lower()} and kind_word in {None, line.kind}
        if is_asked and line.run_id:
            return read_mirrored(tracking_uri, line.run_id, line.url)
    run = _of_component(report, asked, tracking_uri)
    if run is not None:
        return run
    failed = [each for each in report.failed if each.arn.lower() == asked] or report.failed
    message = failed[0].error if failed else f"{text} is not mirrored with these options"
    raise JobError(message)


def _of_component(report: SyncReport, asked: str, tracking_uri: str | None) -> MirroredRun | None:
    """Find the run of the job whose trial component was asked for: it has none of its own."""
    for line in report.runs:
        if line.run_id:
            run = read_mirrored(tracking_uri, line.run_id, line.url)
            told = (run.data.tags.get(key, "") for key in _COMPONENT_TAGS)
            if asked in {each.lower() for each in told}:
                return run
    return None
