"""What ``mirror()`` returns is MLflow's run, with links."""

from __future__ import annotations

import copy
import pickle
from xml.etree import ElementTree as ET

import pytest
from mlflow.entities import Run

from mlflow_smwatch.tracking.mirrored_run import MirroredRun
from tests.sdk.runs import plain_run, run_with

URL = "http://127.0.0.1:5000/#/experiments/1/runs/0?workflowType=machine_learning"
TAGS = {"sagemaker.kind": "training-job", "sagemaker.secondary_status": "Completed"}


def test_it_is_a_run_in_every_use() -> None:
    """The same dictionary, message and items; it can be copied and pickled with its page."""
    run, plain = run_with(TAGS, url=URL), plain_run(TAGS)
    assert isinstance(run, Run)
    assert run.to_dictionary() == plain.to_dictionary()
    assert run.to_proto() == plain.to_proto()
    assert list(dict(run)) == list(dict(plain)) == ["data", "info", "inputs", "outputs"]
    assert MirroredRun.from_proto(run.to_proto()).info.run_id == run.info.run_id
    for same in (pickle.loads(pickle.dumps(run)), copy.deepcopy(run)):  # noqa: S301 - our own
        assert (type(same), same.url) == (MirroredRun, URL)
        assert same.to_dictionary() == plain.to_dictionary()


def test_the_line() -> None:
    """One line says what it is, and where."""
    assert repr(run_with(TAGS, url=URL)) == (f"<training job job FINISHED, run {'0' * 32} {URL}>")
    assert repr(run_with({})) == f"<run job FINISHED, run {'0' * 32}>"


def test_a_notebook_shows_links() -> None:
    """Those that there are, each with its title."""
    links = {"sagemaker.console_url": "https://c/?a=1&b=2", "sagemaker.logs_url": "https://l"}
    page = ET.fromstring(run_with({**TAGS, **links}, url=URL)._repr_html_())  # noqa: S314
    assert [(each.text, each.get("href")) for each in page.iter("a")] == [
        ("Run in MLflow", URL),
        ("Job in the SageMaker console", "https://c/?a=1&b=2"),
        ("Log streams", "https://l"),
    ]


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", " https://x", 'https://x" onclick="alert(1)', "https://<b>"]
)
def test_a_tag_brings_no_code_into_the_page(address: str) -> None:
    """Anybody may edit tags and names: they are text, and links lead to web pages only."""
    run = MirroredRun.of(
        plain_run({**TAGS, "sagemaker.console_url": address}, name="<script>"), None
    )
    page = ET.fromstring(run._repr_html_())  # noqa: S314 - fails on what is not escaped
    assert {each.tag for each in page.iter()} <= {"div", "b", "br", "a"}
    assert all(each.get("href") == address for each in page.iter("a"))
    assert all(str(each.get("href")).startswith("https://") for each in page.iter("a"))
    assert all(set(each.attrib) == {"href", "target", "rel"} for each in page.iter("a"))
