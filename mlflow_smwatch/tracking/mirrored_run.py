"""MLflow's run of a mirrored job, with its links: what a notebook shows of it."""

from __future__ import annotations

import html
from collections.abc import Iterator

from mlflow import MlflowClient
from mlflow.entities import Run

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.tracking.store import tracking_errors
from mlflow_smwatch.tracking.uris import chosen_uri

_LINKS = (
    ("Job in the SageMaker console", "sagemaker.console_url"),
    ("Log streams", "sagemaker.logs_url"),
    ("CloudWatch metrics", "sagemaker.metrics_url"),
    ("Best training job", "sagemaker.best_training_job_url"),
    ("Model artifact", "sagemaker.model_artifact_url"),
)
_SHOWN = ("http://", "https://")


class MirroredRun(Run):
    """A run as MLflow gives it; all that takes a run takes it.

    Attributes
    ----------
    url
        The run's page in MLflow; None where it has no fixed address.
    """

    url: str | None = None

    @classmethod
    def of(cls, run: Run, url: str | None) -> MirroredRun:
        """Add the page to a run.

        Parameters
        ----------
        run
            As MLflow gave it.
        url
            Its page.
        """
        mirrored = cls(run.info, run.data, run.inputs, run.outputs)
        mirrored.url = url
        return mirrored

    @classmethod
    def _properties(cls) -> list[str]:
        """Name what ``dict(run)`` has: MLflow looks for it in the class itself, not above it."""
        listed: list[str] = Run._properties()  # type: ignore[no-untyped-call]  # noqa: SLF001
        return listed

    def __repr__(self) -> str:
        """Return one line: the job, its status and its page."""
        page = f" {self.url}" if self.url else ""
        return f"<{self._title()} {self.info.status}, run {self.info.run_id}{page}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the job, its status, and the links there are."""
        links = " · ".join(
            f'<a href="{html.escape(url)}" target="_blank" rel="noopener">{title}</a>'
            for title, url in self._links()
        )
        heading = f"<b>{html.escape(self._title())}</b> {html.escape(self._state())}"
        return f"<div>{heading}<br/>{links}</div>" if links else f"<div>{heading}</div>"

    def _title(self) -> str:
        kind = self.data.tags.get(names.KIND, "run").replace("-", " ")
        return visible(f"{kind} {self.info.run_name or self.data.tags.get(names.NAME, '')}")

    def _state(self) -> str:
        words = [str(self.info.status)]
        phase = self.data.tags.get("sagemaker.secondary_status")
        if phase and phase.upper() != words[0]:
            words.append(phase)
        return ", ".join(words)

    def _links(self) -> Iterator[tuple[str, str]]:
        """Give the titles and addresses of the links that there are."""
        urls = [("Run in MLflow", self.url)]
        urls += [(title, self.data.tags.get(tag)) for title, tag in _LINKS]
        for title, url in urls:
            if url and url.startswith(_SHOWN):
                yield title, url


def read_mirrored(uri: str | None, run_id: str, url: str | None) -> MirroredRun:
    """Read the run of a mirrored job.

    Parameters
    ----------
    uri
        A tracking URI, or None for MLflow's own choice.
    run_id
        The run.
    url
        Its page.

    Raises
    ------
    JobError
        When MLflow does not give the run.
    TrackingError
        When MLflow is gone.
    """
    with tracking_errors(f"run {run_id} is read"):
        run = MlflowClient(tracking_uri=chosen_uri(uri)).get_run(run_id)
    return MirroredRun.of(run, url)
