"""The demo's database behind a real MLflow server, and a real Chromium that looks at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.show import served
from tests.cli import program
from tests.jobs import put_loss
from tests.ui.hostile import NAME, hostile_job
from tests.ui.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing but this computer
)
LONGEST_WAIT_MS = 30_000
ASSISTANT_STAYS_CLOSED = """
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
"""


def _without_browser(reason: str) -> NoReturn:
    """Skip, or fail where the pages must be looked at."""
    if os.environ.get("SMWATCH_REQUIRE_UI") == "1":
        pytest.fail(f"SMWATCH_REQUIRE_UI=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium, without a window."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _without_browser("playwright is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        _without_browser(f"none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve the mirrored demo, and beside it a job whose every text is hostile."""
    assert browser.is_connected()
    folder = tmp_path_factory.mktemp("demo")
    demo = program.run(
        "demo", "--no-serve", "--dir", str(folder), cwd=folder, env=program.environment(folder)
    )
    assert demo.code == 0, demo.err
    uri = demo.out.splitlines()[-1]
    _mirror_hostile_job(uri, folder)
    with served(uri, folder, preferred_port=0) as address:
        yield Site(uri=uri, address=address, folder=folder)


def _mirror_hostile_job(uri: str, folder: Path) -> None:
    with EmulatedAccount() as account:
        answer, tags, losses = hostile_job()
        account.put_training_job(answer, tags)
        metric = answer["AlgorithmSpecification"]["MetricDefinitions"][0]["Name"]
        put_loss(account, answer["TrainingJobName"], losses, metric)
        environment = program.environment(folder, account.environment)
        synced = program.run(
            *("sync", NAME, "--tracking-uri", uri, "--experiment", "hostile"),
            cwd=folder,
            env=environment,
        )
    assert synced.code == 0, synced.err


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Give a browser without a past; its cache saves each test the loading of MLflow's scripts."""
    from playwright.sync_api import expect

    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, locale="en-US", timezone_id="UTC"
    )
    context.set_default_timeout(LONGEST_WAIT_MS)
    context.add_init_script(ASSISTANT_STAYS_CLOSED)
    expect.set_options(timeout=LONGEST_WAIT_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Open a window."""
    page = context.new_page()
    yield page
    page.close()
