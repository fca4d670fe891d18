"""What a user sees in the Artifacts tab of a run that shows its job's logs and model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.environment import emulated_environment
from mlflow_smwatch.demo.show import served
from tests.cli import program
from tests.jobs import HOUR_MS, NAMESPACE, job_answer, now_ms
from tests.ui.site import Site, keep_screenshot

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.ui, pytest.mark.slow]

JOB = "churn-xgboost-2026-11-20"
STREAM = "algo-1-1795254169"
CREATED_MS = now_ms() // 1000 * 1000 - 2 * HOUR_MS
SCRIPT = "<script>document.title = 'owned'</script>"
LOG = ["Arguments: train", *(f"[{n}] train-auc:{n / 100:.2f}" for n in range(60)), SCRIPT]


@pytest.fixture(scope="module")
def overlaid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Mirror a job with ``--artifacts overlay`` and serve it; the account stays reachable."""
    folder = tmp_path_factory.mktemp("overlaid")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with EmulatedAccount() as account, emulated_environment(account):
        _put_job(account)
        synced = program.run(
            *("sync", JOB, "--artifacts", "overlay", "--tracking-uri", uri),
            cwd=folder,
            env=program.environment(folder, account.environment),
        )
        assert synced.code == 0, synced.err
        with served(uri, folder, preferred_port=0) as address:
            yield Site(uri=uri, address=address, folder=folder)


def _put_job(account: EmulatedAccount) -> None:
    model = f"s3://models/out/{JOB}/output/model.tar.gz"
    answer = job_answer(
        JOB,
        created_ms=CREATED_MS,
        ended_ms=CREATED_MS + HOUR_MS,
        OutputDataConfig={"S3OutputPath": "s3://models/out"},
        ModelArtifacts={"S3ModelArtifacts": model},
    )
    account.put_training_job(answer)
    events = [(CREATED_MS + 30_000 * n, line) for n, line in enumerate(LOG)]
    account.put_log_events(NAMESPACE, f"{JOB}/{STREAM}", events, publish=False)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="models")
    for name in ("model.tar.gz", "output.tar.gz"):
        s3.put_object(Bucket="models", Key=f"out/{JOB}/output/{name}", Body=b"packed" * 1000)


def entry(page: Page, name: str) -> Locator:
    """Find an entry of the tree on the left."""
    return page.get_by_text(name, exact=True).first


def open_artifacts(page: Page, site: Site, *folders: str) -> None:
    """Open the tab, and in it one folder after the other."""
    page.goto(site.page_of(JOB, "artifacts"))
    for folder in folders:
        entry(page, folder).click()


def test_tail_of_a_log_is_read_in_the_page(overlaid: Site, page: Page) -> None:
    """The end of a stream stands in the page as text, with the way to the rest; none of it runs."""
    from playwright.sync_api import expect

    open_artifacts(page, overlaid, "sagemaker", "logs")
    expect(entry(page, f"{STREAM}.log")).to_be_visible()
    entry(page, f"{STREAM}.tail.txt").click()
    expect(page.get_by_text("train-auc:0.59").first).to_be_visible()
    expect(page.get_by_text(f"{STREAM}.log for the whole log").first).to_be_visible()
    expect(page.get_by_text(SCRIPT).first).to_be_attached()
    assert page.title() != "owned"
    keep_screenshot(page, "overlay-log")


def test_model_and_output_are_listed(overlaid: Site, page: Page) -> None:
    """Objects in S3 stand in the tree, with their sizes, and can be downloaded."""
    from playwright.sync_api import expect

    open_artifacts(page, overlaid, "sagemaker", "model")
    entry(page, "model.tar.gz").click()
    expect(page.get_by_text("5.86KB").first).to_be_visible()
    keep_screenshot(page, "overlay-model")


def test_lineage_is_drawn_when_somebody_looks(overlaid: Site, page: Page) -> None:
    """The page of lineage is stored nowhere and shows all the same."""
    from playwright.sync_api import expect

    assert not list(Path(overlaid.folder).rglob("lineage.html"))
    open_artifacts(page, overlaid, "sagemaker")
    entry(page, "lineage.html").click()
    frame = page.frame_locator("iframe").first
    expect(frame.get_by_role("heading", name=f"Lineage of {JOB}")).to_be_visible()
