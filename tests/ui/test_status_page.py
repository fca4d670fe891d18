"""The status page of ``mlflow server --app-name smwatch``, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.show import filled
from tests.jobs import put_loss
from tests.server.served import Server, serving, until
from tests.ui.hostile import MARK, NAME, hostile_job
from tests.ui.site import keep_screenshot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.ui, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the demo's account and a hostile job, until all that is there is mirrored."""
    assert browser.is_connected()
    with EmulatedAccount() as account:
        filled(account)
        answer, tags, losses = hostile_job()
        account.put_training_job(answer, tags)
        metric = answer["AlgorithmSpecification"]["MetricDefinitions"][0]["Name"]
        put_loss(account, NAME, losses, metric)
        account.faults.fail(
            "sagemaker:DescribeEndpoint", times=None, code="InternalFailure", status=500
        )
        folder = tmp_path_factory.mktemp("status-page")
        settings = {"SMWATCH_SINCE": "60d", "AWS_MAX_ATTEMPTS": "2"}
        with serving(folder, account.environment, "--workers", "1", **settings) as server:
            until(lambda: server.health()["state"] == "fresh", server)
            yield server


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page(page: Page, server: Server, scheme: str) -> None:
    """What is mirrored, what failed, what it cost; nothing is loaded, no text of AWS runs."""
    from playwright.sync_api import expect

    messages: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{server.address}/smwatch")
    expect(page.get_by_role("heading", name="SageMaker mirror")).to_be_visible()
    expect(page.get_by_role("cell", name="training-job", exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name="sagemaker:Search", exact=True)).to_be_visible()
    keep_screenshot(page, f"status-page-{scheme}")
    assert [each for each in asked if "favicon" not in each] == [f"{server.address}/smwatch"]
    assert [each for each in messages if "favicon" not in each] == []
    assert page.evaluate(f"window.{MARK}") is None
    expect(page.locator("script, img")).to_have_count(0)


def test_a_link_leads_to_the_run(page: Page, server: Server) -> None:
    """The names of runs are links to MLflow's page of them."""
    from playwright.sync_api import expect

    page.goto(f"{server.address}/smwatch")
    page.get_by_role("link", name="digits-mlp-running", exact=True).first.click()
    expect(page.get_by_role("heading", name="digits-mlp-running")).to_be_visible()
