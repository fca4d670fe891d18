"""An account full of hostile texts in MLflow's own pages and the mirror's: nothing of it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.tracking.pages import experiment_url
from tests.hostile.contents import ALL, PLACES, put_hostile_account
from tests.hostile.texts import HTML, MARK
from tests.server.served import Server, serving, tracking_uri, until
from tests.ui.site import Site, keep_screenshot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Request

pytestmark = [pytest.mark.ui, pytest.mark.slow]

IMAGE_FAILS = """
() => new Promise(done => {
  const image = new Image();
  image.onerror = done;
  image.src = "data:image/png,none";
})
"""
"""Waits until an image could not be shown: those that the page had before have failed by then."""
HOSTS = """
() => [...document.querySelectorAll("[href], [src]")].map(
  each => new URL(each.getAttribute("href") ?? each.getAttribute("src"), location.origin).hostname
)
"""
"""Gives the hosts of all that a page links or loads."""
TAIL = "algo-1-1700000000.tail.txt"


@dataclass
class Watched:
    """A page, and what came of opening it.

    Attributes
    ----------
    page
        The window.
    address
        Of the server, the only one that may be asked.
    dialogs, requests
        What was opened, and asked of others.
    """

    page: Page
    address: str
    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Look at everything from now on."""
        self.page.on("dialog", lambda dialog: self.dialogs.append(dialog.message))
        self.page.on("request", self._asked)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.address}/", "data:", "blob:", "about:")):
            self.requests.append(request.url)

    def open(self, url: str, shown: Locator, screenshot: str) -> None:
        """Open a page, wait for a text of it, and see that nothing else has happened."""
        from playwright.sync_api import expect

        self.page.goto(url)
        expect(shown).to_be_attached()
        self.page.evaluate(IMAGE_FAILS)
        keep_screenshot(self.page, f"hostile-{screenshot}")
        self.is_quiet()

    def is_quiet(self) -> None:
        """See that no script ran, nobody else was asked, and no link runs one."""
        assert self.dialogs == []
        assert self.requests == []
        for frame in self.page.frames:
            assert frame.evaluate(f"window.{MARK}") is None
            assert frame.locator("a[href^='javascript:' i]").count() == 0
            assert not any("evil.example" in host for host in frame.evaluate(HOSTS))


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the hostile account, until all of it is mirrored; logs are read through."""
    assert browser.is_connected()
    with EmulatedAccount() as account:
        put_hostile_account(account)
        account.faults.fail(
            "sagemaker:DescribeEndpoint",
            times=None,
            code="InternalFailure",
            message=ALL,
            status=500,
        )
        folder = tmp_path_factory.mktemp("hostile")
        settings = {"SMWATCH_ARTIFACTS": "overlay", "AWS_MAX_ATTEMPTS": "1"}
        place = f"smwatch+{(folder / 'artifacts').as_uri()}"
        options = ("--workers", "1", "--artifacts-destination", place)
        with serving(folder, account.environment, *options, **settings) as server:
            until(lambda: server.health()["state"] == "fresh", server)
            yield server


@pytest.fixture
def watched(page: Page, server: Server) -> Watched:
    """Open a window that is watched."""
    watched = Watched(page, server.address)
    watched.begin()
    return watched


def site_of(server: Server) -> Site:
    """Give what knows the addresses of pages."""
    return Site(uri=tracking_uri(server), address=server.address, folder=Path(server.folder))


@pytest.mark.parametrize("job", ["training", "processing", "component", "tuning", "abcdefghijkl"])
def test_pages_of_a_run(watched: Watched, server: Server, job: str) -> None:
    """Overview with note, params and tags; charts; the description."""
    site, page = site_of(server), watched.page
    title = site.run(job).info.run_name
    heading = page.get_by_role("heading", name=title).first
    watched.open(site.page_of(job), heading, f"{job}-overview")
    watched.open(site.page_of(job, "model-metrics"), heading, f"{job}-metrics")
    document = page.get_by_text('"CreationTime"').first
    watched.open(site.page_of(job, "artifacts/sagemaker/job.json"), document, f"{job}-document")


def test_the_page_of_lineage(watched: Watched, server: Server) -> None:
    """Nodes have hostile names; the page's own script is the only one that runs."""
    page = watched.page
    url = site_of(server).page_of("training", "artifacts/sagemaker/lineage.html")
    frame = page.frame_locator("iframe").first
    watched.open(url, frame.get_by_role("heading", name="Lineage of training"), "lineage")
    assert frame.locator("a.root").count() == 1
    assert frame.get_by_text(HTML[0]).count() > 0
    frame.locator(".box a").first.hover()
    frame.get_by_role("searchbox").fill(PLACES[1][:30])
    watched.is_quiet()


def test_the_end_of_a_log(watched: Watched, server: Server) -> None:
    """Lines stand in the page as text."""
    page = watched.page
    url = site_of(server).page_of("logged", f"artifacts/sagemaker/logs/{TAIL}")
    watched.open(url, page.get_by_text(HTML[0]).first, "log")
    names = page.get_by_text("tail.txt").all_text_contents()
    assert all(name.isprintable() for name in names)


@pytest.mark.parametrize("job", ["logged", "processing"])
def test_the_table_of_runs(watched: Watched, server: Server, job: str) -> None:
    """With its columns of params, tags and metrics."""
    site = site_of(server)
    url = experiment_url(server.address, site.run(job).info.experiment_id)
    assert url is not None
    link = watched.page.get_by_role("link", name=job, exact=True).first
    watched.open(url, link, f"{job}-table")


def test_the_status_page(watched: Watched, server: Server) -> None:
    """What failed, and why, in AWS's own words."""
    page = watched.page
    heading = page.get_by_role("heading", name="SageMaker mirror")
    watched.open(f"{server.address}/smwatch", heading, "status")
    assert page.locator("script, img, iframe").count() == 0
