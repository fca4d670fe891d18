"""No secret of an account gets into MLflow, nor what a user's own pattern names."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlflow_smwatch as smwatch
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job_kinds import USUAL_KINDS, kind_of
from mlflow_smwatch.overlay.account import PATTERNS_VARIABLE, Account
from tests.kinds import execution_arn, kind_arn
from tests.secrets.canaries import missing, sightings, stored
from tests.secrets.conftest import Planted
from tests.secrets.planted import CODE_NAME

REDACT = (r"(?i)projekt\s+\w+", r"1\.5e7")
OPTIONS = {"redact": REDACT, "register": "churn", "artifacts": "link"}
RESOURCES = (
    "training-job/train",
    "processing-job/process",
    "transform-job/transform",
    "hyper-parameter-tuning-job/tune",
    "automl-job/automl",
    "experiment-trial/trial",
    "experiment-trial-component/by-hand",
    "endpoint/serve",
)


@pytest.fixture(scope="module")
def uri(
    planted: Planted, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Mirror the account into a new store, with patterns."""
    assert planted.environment == environment
    folder = tmp_path_factory.mktemp("mirrored")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report = smwatch.sync(tracking_uri=f"sqlite:///{folder}/mlflow.db", **OPTIONS)
    assert report.failed == []
    assert {run.kind for run in report.runs} == set(USUAL_KINDS)
    return f"sqlite:///{folder}/mlflow.db"


@pytest.fixture(scope="module")
def found(uri: str) -> dict[str, bytes]:
    """Read all that the store and the artifacts hold."""
    return stored(Path(uri.removeprefix("sqlite:///")).parent)


def test_secrets_are_nowhere(planted: Planted, found: dict[str, bytes]) -> None:
    """Neither in the database nor in an artifact."""
    assert len(planted.canaries.secrets) > 400
    assert sightings(planted.canaries.secrets, found) == []


def test_all_else_is_there(planted: Planted, found: dict[str, bytes]) -> None:
    """What is no secret was mirrored from the same places."""
    assert len(planted.canaries.others) > 60
    assert missing(planted.canaries.others, found) == []


def test_no_match_is_left(found: dict[str, bytes]) -> None:
    """What the pattern names is gone from texts, names of values, tags and lineage."""
    assert sightings({CODE_NAME: "a pattern"}, found) == []
    assert any(b"*** size" in content for content in found.values())


def test_it_is_as_it_should_be(uri: str) -> None:
    """With the same patterns both sides are equal; without them they are not."""
    again = smwatch.verify(tracking_uri=uri, redact=REDACT)
    assert (again.differences, again.failed) == ([], [])
    report = smwatch.verify("train", tracking_uri=uri)
    differences = {(each.key, each.aws, each.mlflow) for each in report.differences}
    assert ("note", f"about {CODE_NAME}", "about ***") in differences


def test_lineage(planted: Planted, uri: str) -> None:
    """Of MLflow and of AWS, in every form."""
    shown: dict[str, bytes] = {}
    for source in ("mlflow", "aws"):
        graph = smwatch.lineage("train", tracking_uri=uri, source=source, redact=REDACT)
        assert len(graph.nodes) > 3
        forms = (graph.to_tree, graph.to_dot, graph.to_mermaid, graph.to_html, graph.to_json)
        shown |= {f"{source} {form.__name__}": str(form()).encode() for form in forms}
    assert sightings({**planted.canaries.secrets, CODE_NAME: "a pattern"}, shown) == []


@pytest.mark.parametrize("resource", [*RESOURCES, execution_arn("abcdefghijkl").split(":", 5)[5]])
def test_the_overlay(
    planted: Planted, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, resource: str
) -> None:
    """What a server reads when somebody looks has no secrets, and no matches of its variable."""
    assert environment
    monkeypatch.setenv(PATTERNS_VARIABLE, "\n".join(REDACT))
    arn = Arn.parse(kind_arn(resource))
    kind = kind_of(arn)
    assert kind is not None
    jobs = [Account.of("us-east-1").job(arn, kind, whole=whole) for whole in (False, True)]
    shown = {"job": "\n".join(map(repr, jobs)).encode()}
    assert sightings({**planted.canaries.secrets, CODE_NAME: "a pattern"}, shown) == []
    monkeypatch.setenv(PATTERNS_VARIABLE, "(")
    with pytest.raises(UsageError, match=r"^--redact '\('"):
        Account.of("us-east-1")
