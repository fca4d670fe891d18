"""What a user sees in MLflow's own pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.cli import program
from tests.ui import hostile
from tests.ui.site import Site, keep_screenshot

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.ui

TRAINING_JOBS = "sagemaker/training-jobs"
TWO_HOSTS = "digits-mlp-2-hosts"
LINKS = {
    "Job in the SageMaker console": "sagemaker.console_url",
    "Log streams": "sagemaker.logs_url",
    "CloudWatch metrics": "sagemaker.metrics_url",
    "Model artifact": "sagemaker.model_artifact_url",
}
JOB_NAMES = (
    "digits-mlp-running",
    "digits-mlp-3-hosts",
    "digits-mlp-stopped",
    "iris-softmax-odd-names",
    "wine-svm-failed",
    "wine-softmax-last-month",
)


def about(page: Page, title: str) -> Locator:
    """Find one line of the box 'About this run'."""
    return page.get_by_test_id(f"key-value-{title}")


def section(page: Page, title: str) -> Locator:
    """Find the header of a group of charts; a click folds the group."""
    headers = page.get_by_test_id("experiment-view-compare-runs-section-header")
    named = headers.filter(has_text=re.compile(rf"^{re.escape(title)}\s*\("))
    return page.locator("[aria-expanded]").filter(has=named)


def chart(page: Page, title: str) -> Locator:
    """Find the card of one metric's chart."""
    cards = page.get_by_test_id("experiment-view-compare-runs-card")
    return cards.filter(has=page.get_by_text(title, exact=True)).first


def expect_line(page: Page, group: str, metric: str) -> None:
    """Scroll to a metric's card (cards out of sight are not drawn) and wait for its line."""
    from playwright.sync_api import expect

    section(page, group).scroll_into_view_if_needed()
    card = chart(page, metric)
    card.scroll_into_view_if_needed()
    expect(card.locator(".scatterlayer .js-line").first).to_have_attribute(
        "d", re.compile(r"^M.+L")
    )


def duration(site: Site, job: str) -> str:
    """Write how long a run took as MLflow does."""
    info = site.run(job).info
    seconds = (info.end_time - info.start_time) / 1000
    return f"{seconds / 3600:.1f}h" if seconds >= 3600 else f"{seconds / 60:.1f}min"


def test_the_experiments_link_opens_the_table_of_runs(page: Page, site: Site) -> None:
    """The address that ``smwatch status`` prints shows training runs, not traces.

    A trial's jobs unfold below it.
    """
    from playwright.sync_api import expect

    status = program.run(
        "status",
        "--json",
        "--tracking-uri",
        site.address,
        cwd=site.folder,
        env=program.environment(site.folder),
    )
    urls = {each["experiment"]: each["url"] for each in status.document["experiments"]}
    page.goto(urls[TRAINING_JOBS])
    for name in JOB_NAMES:
        expect(page.get_by_role("link", name=name, exact=True).first).to_be_visible()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    assert "/overview" not in page.url
    row = page.get_by_role("row").filter(has_text=duration(site, TWO_HOSTS))
    expect(row.get_by_text("digits_data_parallel.py").first).to_be_attached()
    keep_screenshot(page, "experiment-runs")
    page.goto(urls["breast-cancer-screening"])
    trial = page.get_by_role("link", name="learning-rate", exact=True)
    job = page.get_by_role("link", name="breast-cancer-boosting-rate-0-10", exact=True)
    expect(trial.first).to_be_visible()
    expect(job).to_have_count(0)
    page.get_by_role("gridcell").filter(has=trial).get_by_role("button").first.click()
    expect(job.first).to_be_visible()


def test_the_note_shows_links_into_aws(page: Page, site: Site) -> None:
    """All links of the note are in sight, lead where the tags say, and leave no Markdown behind."""
    from playwright.sync_api import expect

    page.goto(site.page_of(TWO_HOSTS))
    tags = site.run(TWO_HOSTS).data.tags
    for title, tag in LINKS.items():
        link = page.get_by_role("link", name=title, exact=True)
        expect(link).to_be_visible()
        expect(link).to_have_attribute("href", tags[tag])
        expect(link).to_have_attribute("target", "_blank")
    expect(page.get_by_text("Show more")).to_have_count(0)
    note = page.get_by_text(f"SageMaker training job {TWO_HOSTS} on 2 × ml.m5.large in us-east-1.")
    expect(note).to_be_visible()
    expect(note.locator("strong")).to_have_text(["Emulated.", TWO_HOSTS])
    keep_screenshot(page, "run-overview")


def test_a_runs_page_shows_what_the_job_was(page: Page, site: Site) -> None:
    """Parameters, tags, data, source, duration and the model stand on the first tab."""
    from playwright.sync_api import expect

    page.goto(site.page_of(TWO_HOSTS))
    run = site.run(TWO_HOSTS)
    table = page.get_by_text(f"Parameters ({len(run.data.params)})").locator("..")
    for name, value in run.data.params.items():
        expect(table.get_by_text(name, exact=True)).to_be_visible()
        expect(table.get_by_text(value, exact=True)).to_be_visible()
    for name in ("sagemaker.instance_type", "sagemaker.console_url", "smwatch.final"):
        expect(page.get_by_role("status").and_(page.get_by_title(name))).to_be_visible()
    expect(about(page, "Duration")).to_contain_text(duration(site, TWO_HOSTS))
    expect(about(page, "Source")).to_contain_text("digits_data_parallel.py")
    expect(page.get_by_text("Logged models (1)")).to_be_visible()
    expect(page.get_by_role("link", name=TWO_HOSTS)).to_be_visible()


@pytest.mark.parametrize(
    ("job", "status"),
    [
        ("digits-mlp-adam", "Finished"),
        ("wine-svm-failed", "Failed"),
        ("digits-mlp-stopped", "Killed"),
        ("digits-mlp-running", "Running"),
    ],
)
def test_a_runs_page_shows_the_status(page: Page, site: Site, job: str, status: str) -> None:
    """The job's end is MLflow's word for it."""
    from playwright.sync_api import expect

    page.goto(site.page_of(job))
    expect(about(page, "Status")).to_contain_text(status)


def test_a_tag_opens_to_its_whole_value(page: Page, site: Site) -> None:
    """A long address in a tag can be read and copied whole."""
    from playwright.sync_api import expect

    page.goto(site.page_of(TWO_HOSTS))
    page.get_by_role("status").and_(page.get_by_title("sagemaker.logs_url")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(site.run(TWO_HOSTS).data.tags["sagemaker.logs_url"])
    expect(dialog.get_by_role("button", name="Copy")).to_be_visible()


def test_a_dataset_shows_where_it_lies(page: Page, site: Site) -> None:
    """An input channel opens with its S3 URI."""
    from playwright.sync_api import expect

    page.goto(site.page_of(TWO_HOSTS))
    page.get_by_text(re.compile(r"^training \([0-9a-f]{16}\)$")).click()
    uri = re.compile(r"s3://sagemaker-us-east-1-\d{12}/datasets/digits/training/")
    expect(page.get_by_role("dialog").get_by_text(uri)).to_be_visible()


def test_the_model_shows_its_artifact(page: Page, site: Site) -> None:
    """The run's output is a model whose page names the S3 URI."""
    from playwright.sync_api import expect

    page.goto(site.page_of(TWO_HOSTS))
    page.get_by_role("link", name=TWO_HOSTS).click()
    artifact = site.run(TWO_HOSTS).data.tags["sagemaker.model_artifact"]
    expect(page.get_by_text(artifact, exact=True)).to_be_visible()
    expect(page.get_by_text("Ready", exact=True)).to_be_visible()


def test_algorithm_metrics_are_charts(page: Page, site: Site) -> None:
    """Each metric of the job's own is a line."""
    page.goto(site.page_of(TWO_HOSTS, "model-metrics"))
    for folded in ("sagemaker", "sagemaker/phase_seconds"):
        section(page, folded).click(position={"x": 12, "y": 12})
    for metric in ("loss", "share_accuracy", "val_accuracy"):
        expect_line(page, "Model metrics", metric)
    keep_screenshot(page, "run-metrics")


def test_odd_metric_names_are_charts(page: Page, site: Site) -> None:
    """Names of other scripts, and names that MLflow refuses as they are, are shown."""
    page.goto(site.page_of("iris-softmax-odd-names", "model-metrics"))
    for metric in ("损失", "loss _train_ _", "validation:auc"):
        expect_line(page, "Model metrics", metric)


def test_system_metrics_are_grouped_by_host(page: Page, site: Site) -> None:
    """Each host has a group of its own with its figures."""
    from playwright.sync_api import expect

    page.goto(site.page_of("digits-mlp-3-hosts", "system-metrics"))
    for host in ("algo-1", "algo-2", "algo-3"):
        expect(section(page, f"system/{host}")).to_be_attached()
    for figure in ("cpu_utilization_percentage", "disk_usage_percentage"):
        expect_line(page, "system/algo-1", figure)
    keep_screenshot(page, "run-system-metrics")


def test_the_describe_answer_is_an_artifact(page: Page, site: Site) -> None:
    """``sagemaker/job.json`` opens in the artifacts' tab."""
    from playwright.sync_api import expect

    page.goto(site.page_of(TWO_HOSTS, "artifacts"))
    page.get_by_text("sagemaker", exact=True).click()
    page.get_by_text("job.json", exact=True).click()
    expect(page.get_by_text('"AlgorithmSpecification"')).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize("tab", ["", "model-metrics", "artifacts/sagemaker/job.json"])
def test_texts_from_aws_run_no_script(page: Page, site: Site, tab: str) -> None:
    """HTML and script addresses in a job's texts stay text."""
    from playwright.sync_api import expect

    page.goto(site.page_of(hostile.NAME, tab))
    shown = {
        "": page.get_by_text(hostile.TEXTS, exact=True).first,
        "model-metrics": chart(page, site_metric(site)),
        "artifacts/sagemaker/job.json": page.get_by_text('"FailureReason"'),
    }
    expect(shown[tab]).to_be_visible()
    assert page.evaluate(f"window.{hostile.MARK}") is None
    assert page.locator("a[href^='javascript:']").count() == 0
    assert page.locator("img[src='x']").count() == 0


def site_metric(site: Site) -> str:
    """Return the one metric that the hostile job has of its own."""
    (key,) = (key for key in site.run(hostile.NAME).data.metrics if not key.startswith("sagemaker"))
    return key
