"""The pages of the runs that a user names, from MLflow alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import UnknownJobError
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.not_mirrored import why_not
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.core.watermark import STATE_TAG
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.pages import run_url, ui_address
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.store import open_tracking
from mlflow_smwatch.tracking.uris import is_sql, plain_uri, shown_uri

_HOW_TO_SERVE = (
    "MLflow is a database here; its pages are there while this runs:"
    " mlflow ui --backend-store-uri '{uri}'. Where they are served elsewhere, give --ui-url"
)
_NO_ADDRESS = "the pages of this MLflow have no fixed address: give --ui-url"


@dataclass(frozen=True, slots=True)
class RunPage:
    """The page of a mirrored job.

    Attributes
    ----------
    url
        None where MLflow's pages have no fixed address.
    run_id, experiment_id
        The run.
    arn, name
        The job.
    """

    url: str | None
    run_id: str
    experiment_id: str
    arn: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPages:
    """All pages of what a user named.

    Attributes
    ----------
    pages
        At least one, the job that began last first.
    advice
        What the user has to do to see them; None for nothing.
    """

    pages: tuple[RunPage, ...]
    advice: str | None = None

    @property
    def opens(self) -> str | None:
        """The address that a browser can open; None where none is known to be served."""
        return None if self.advice else self.pages[0].url

    def to_dict(self) -> dict[str, Any]:
        """Return the document that ``--json`` prints: the first page's fields, and all pages."""
        return {**asdict(self.pages[0]), "runs": [asdict(each) for each in self.pages]}


def find_pages(text: str, tracking_uri: str | None = None, ui_url: str | None = None) -> RunPages:
    """Find the pages of a mirrored job.

    Parameters
    ----------
    text
        Name or ARN of a job, or a run id; a name that stands for several jobs means all of them.
    tracking_uri
        MLflow tracking URI; None for MLflow's own choice.
    ui_url
        Address of MLflow's pages, where it is not the tracking server's.

    Returns
    -------
    RunPages
        Of runs that are not deleted and that the mirror has written.

    Raises
    ------
    UnknownJobError
        When there is no such run, with the next step.
    TrackingError
        When MLflow cannot be used, or nothing was ever written there.
    """
    tracking = open_tracking(tracking_uri, create=False)
    runs = [
        run
        for run in RunIndex(tracking, Experiments(tracking)).named(text)
        if names.ARN in run.tags and (run.mirrored or STATE_TAG in run.tags)
    ]
    shown = [run for run in runs if run.active]
    if not shown:
        raise UnknownJobError(_why_none(text, runs))
    address, advice = ui_address(tracking.uri, ui_url), None
    if ui_url is None and is_sql(tracking.uri):
        advice = _HOW_TO_SERVE.format(uri=plain_uri(shown_uri(tracking.uri)))
    elif address is None:
        advice = _NO_ADDRESS
    return RunPages(pages=tuple(_page(run, address) for run in shown), advice=advice)


def _page(run: KnownRun, address: str | None) -> RunPage:
    return RunPage(
        url=run_url(address, run.experiment_id, run.run_id),
        run_id=run.run_id,
        experiment_id=run.experiment_id,
        arn=run.tags[names.ARN],
        name=run.tags.get(names.NAME, ""),
    )


def _why_none(text: str, deleted: list[KnownRun]) -> str:
    name = visible(text)
    reason = why_not(text)
    if reason and not deleted:
        return visible(reason)
    if not deleted:
        return f"{name} is not mirrored here: 'smwatch sync NAME' mirrors a job by its name or ARN"
    return (
        f"the run of {name} was deleted in MLflow:"
        f" 'smwatch sync {visible(deleted[0].tags.get(names.NAME) or text)} --restore' brings it"
        " back"
    )
