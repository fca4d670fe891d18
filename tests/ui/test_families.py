"""What a user sees of jobs that belong together, and of where a model comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlflow_smwatch.demo.workloads.experiments import EXPERIMENTS
from mlflow_smwatch.demo.workloads.families import (
    CHAIN,
    EXECUTION,
    PIPELINE_STEPS,
    TUNED,
    TUNING_JOB,
)
from mlflow_smwatch.tracking.pages import experiment_url
from tests.ui.site import Site, keep_screenshot

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Locator, Page

pytestmark = [pytest.mark.ui, pytest.mark.slow]

WINE = EXPERIMENTS[1]
CURVE = "wine-learning-curve"
ENDPOINT = "wine-cultivars"


def open_experiment(page: Page, site: Site, job: str) -> None:
    """Open the table of runs in which a job stands."""
    url = experiment_url(site.address, site.run(job).info.experiment_id)
    assert url is not None
    page.goto(url)


def link(page: Page, name: str) -> Locator:
    """Find the link of a run in the table."""
    return page.get_by_role("link", name=name, exact=True).first


def expand(page: Page, name: str) -> None:
    """Click on the plus sign before a run that has others under it."""
    cell = page.get_by_role("gridcell").filter(has=link(page, name))
    cell.get_by_role("button").first.click()


def left_of(locator: Locator) -> float:
    """Tell how far to the right something begins, in pixels."""
    box = locator.bounding_box()
    assert box is not None
    return box["x"]


def expect_nested(page: Page, parent: str, children: tuple[str, ...]) -> None:
    """See runs appear under their parent when it is expanded, further to the right."""
    from playwright.sync_api import expect

    expect(link(page, parent)).to_be_visible()
    for child in children:
        expect(link(page, child)).to_have_count(0)
    expand(page, parent)
    for child in children:
        expect(link(page, child)).to_be_visible()
        assert left_of(link(page, child)) > left_of(link(page, parent))


def open_lineage(page: Page, site: Site, job: str) -> FrameLocator:
    """Open a run's lineage page in its artifacts."""
    page.goto(site.page_of(job, "artifacts/sagemaker/lineage.html"))
    return page.frame_locator("iframe")


def test_an_experiment_shows_its_trials_and_their_jobs(page: Page, site: Site) -> None:
    """Trials are rows that open: jobs, and what was done without a job, stand under them."""
    open_experiment(page, site, "wine-train")
    expect_nested(page, "standard-scaling", tuple(each.name for each in CHAIN))
    expect_nested(page, "feature-transforms", WINE.trials["feature-transforms"])
    keep_screenshot(page, "experiment-nested")


def test_a_tuning_job_shows_its_training_jobs(page: Page, site: Site) -> None:
    """All eight are under it."""
    open_experiment(page, site, TUNING_JOB)
    expect_nested(page, TUNING_JOB, tuple(each.name for each in TUNED))


def test_a_pipelines_execution_shows_the_jobs_of_its_steps(page: Page, site: Site) -> None:
    """Processing, training and transform job are under it."""
    title = site.run(EXECUTION).info.run_name
    open_experiment(page, site, EXECUTION)
    expect_nested(page, title, tuple(each.name for each in PIPELINE_STEPS))


def test_a_series_of_a_trial_component_is_a_chart(page: Page, site: Site) -> None:
    """What was noted step by step is a line."""
    from playwright.sync_api import expect

    page.goto(site.page_of(CURVE, "model-metrics"))
    cards = page.get_by_test_id("experiment-view-compare-runs-card")
    card = cards.filter(has=page.get_by_text("accuracy", exact=True)).first
    expect(card.locator(".scatterlayer .js-line").first).to_be_attached()


def test_the_lineage_page_leads_from_the_data_to_the_endpoint(page: Page, site: Site) -> None:
    """The artifact is drawn inside MLflow's page: nodes, edges, and tables that can be filtered."""
    from playwright.sync_api import expect

    frame = open_lineage(page, site, ENDPOINT)
    expect(frame.get_by_role("heading", name=f"Lineage of {ENDPOINT}")).to_be_visible()
    drawing = frame.locator("svg[role=group]")
    expect(drawing.locator("a.root")).to_be_visible()
    for name in ("raw", "train", "validation", "model.tar.gz"):
        expect(drawing.get_by_text(name, exact=True)).to_be_attached()
    assert drawing.locator("path.e").count() > 10
    keep_screenshot(page, "lineage-page")
    rows = frame.locator("tbody tr:visible")
    before = rows.count()
    frame.get_by_role("searchbox").fill("processing-job")
    expect(rows.first).to_contain_text("processing-job")
    assert 0 < rows.count() < before
