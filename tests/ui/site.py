"""What is served, and where its pages are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.entities import Run

from mlflow_smwatch.tracking.pages import run_url

if TYPE_CHECKING:
    from playwright.sync_api import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A mirrored database and the server that shows it.

    Attributes
    ----------
    uri
        Tracking URI of the database.
    address
        Of the server.
    folder
        Where both live.
    """

    uri: str
    address: str
    folder: Path

    def run(self, job: str) -> Run:
        """Read the run of a job."""
        client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        ids = [each.experiment_id for each in client.search_experiments()]
        (found,) = client.search_runs(ids, f"tags.`sagemaker.name` = '{job}'")
        return found

    def page_of(self, job: str, tab: str = "") -> str:
        """Give the address that smwatch prints for a job, or one of that page's tabs."""
        info = self.run(job).info
        url = run_url(self.address, info.experiment_id, info.run_id)
        assert url is not None
        path, _, query = url.partition("?")
        return f"{path}/{tab}?{query}" if tab else url


def keep_screenshot(page: Page, name: str) -> None:
    """Save what the page shows, where the environment says so (``SMWATCH_SCREENSHOTS=folder``)."""
    folder = os.environ.get("SMWATCH_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.mouse.move(0, 0)
        page.screenshot(path=Path(folder, f"{name}.png"), animations="disabled")
