"""``mlflow server`` with the plugin: by REST, directly and through its proxy."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.seal import seal
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import arn
from tests.overlay.conftest import CREATED_MS, KEY, LINES, LOG, MODEL, MODEL_BYTES, TAIL
from tests.stores.servers import mlflow_server_on

EVENTS = "logs:GetLogEvents"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"


@dataclass
class Answer:
    """What a server answered."""

    status: int
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, parsed."""
        parsed: dict[str, Any] = json.loads(self.body or b"{}")
        return parsed

    @property
    def paths(self) -> list[str]:
        """The paths of a listing."""
        return [each["path"] for each in self.json.get("files", [])]


@dataclass
class Server:
    """A server, a run on the overlay's own place, and one behind the proxy."""

    address: str
    direct: str
    proxied: str
    experiment: str
    folder: Path

    def get(self, route: str, headers: dict[str, str] | None = None, /, **query: str) -> Answer:
        """Ask the server."""
        url = f"{self.address}{route}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answer(response.status, response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read())

    def listed(self, run_id: str, path: str | None = None) -> list[str]:
        """List as the page of a run does."""
        query = {"run_id": run_id, **({"path": path} if path else {})}
        return self.get("/ajax-api/2.0/mlflow/artifacts/list", **query).paths

    def file(self, run_id: str, path: str, **headers: str) -> Answer:
        """Fetch a file as the page of a run does."""
        return self.get("/get-artifact", headers, path=path, run_uuid=run_id)


def sealed(client: MlflowClient, experiment: str) -> str:
    """Make a run of the job, sealed."""
    run = client.create_run(experiment, start_time=CREATED_MS, tags={names.ARN: arn("job")})
    value = seal(KEY.encode(), run.info.run_id, arn("job"), CREATED_MS)
    client.set_tag(run.info.run_id, names.SEAL, value)
    return str(run.info.run_id)


@pytest.fixture(scope="module")
def server(account: EmulatedAccount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a store whose artifacts all lie on the overlay."""
    assert account.endpoint
    folder = tmp_path_factory.mktemp("overlay-server")
    destination = f"smwatch+{folder.as_uri()}/served"
    with mlflow_server_on(f"sqlite:///{folder}/mlflow.db", folder, destination) as address:
        client = MlflowClient(tracking_uri=address)
        direct = client.create_experiment("direct", f"smwatch+{folder.as_uri()}/direct")
        proxied = client.create_experiment("proxied")
        runs = (sealed(client, direct), sealed(client, proxied))
        yield Server(address, *runs, str(proxied), folder)


@pytest.fixture(params=["direct", "proxied"])
def run_id(request: pytest.FixtureRequest, server: Server) -> str:
    """Give each run once."""
    found: str = getattr(server, request.param)
    return found


def test_the_page_lists_and_shows(server: Server, run_id: str, account: EmulatedAccount) -> None:
    """Opening a run costs no call, a folder two, the tail two."""
    account.reset_calls()
    assert server.listed(run_id) == ["sagemaker"]
    assert dict(account.calls) == {}
    assert server.listed(run_id, "sagemaker/logs") == [LOG, TAIL]
    assert sum(account.calls.values()) <= 2
    account.reset_calls()
    tail = server.file(run_id, TAIL)
    assert tail.status == 200
    assert tail.body.decode().endswith(f" line {LINES - 1}\n")
    assert sum(account.calls.values()) <= 2
    account.reset_calls()
    server.file(run_id, TAIL)
    assert dict(account.calls) == {}
    assert server.listed(run_id, "sagemaker/model") == [MODEL]
    assert "sagemaker/job.json" in server.listed(run_id, "sagemaker")


def test_files_come_whole_and_in_part(server: Server, run_id: str) -> None:
    """As of any artifact."""
    assert server.file(run_id, LOG).body.count(b"\n") == LINES
    assert server.file(run_id, MODEL).body == MODEL_BYTES
    part = server.file(run_id, MODEL, Range="bytes=100-199")
    assert (part.status, part.body) == (206, MODEL_BYTES[100:200])
    assert b"TrainingJobName" in server.file(run_id, "sagemaker/job.json").body
    assert b"<svg" in server.file(run_id, "sagemaker/lineage.html").body


@pytest.mark.parametrize("folder", ["sagemaker", "sagemaker/logs", "sagemaker/output"])
def test_a_folder_is_not_read_to_be_refused(
    server: Server, run_id: str, folder: str, account: EmulatedAccount
) -> None:
    """An address that is quickly typed would cost a call for each log and object."""
    account.reset_calls()
    assert server.file(run_id, folder).status == 400
    assert sum(account.calls.values()) <= 2


def test_mlflows_client_reads_and_writes(server: Server, run_id: str, tmp_path: Path) -> None:
    """Over the server, or past it where the place is one that the client can reach itself."""
    client = MlflowClient(tracking_uri=server.address)
    client.log_text(run_id, "own", "notes/own.txt")
    assert {each.path for each in client.list_artifacts(run_id)} == {"notes", "sagemaker"}
    assert [each.path for each in client.list_artifacts(run_id, "sagemaker/model")] == [MODEL]
    found = client.download_artifacts(run_id, MODEL, str(tmp_path))
    assert Path(found).read_bytes() == MODEL_BYTES
    own = client.download_artifacts(run_id, "notes/own.txt", str(tmp_path))
    assert Path(own).read_text(encoding="utf-8") == "own"


def test_the_proxys_own_addresses_lead_there_too(server: Server) -> None:
    """Those that clients use."""
    place = f"{server.experiment}/{server.proxied}/artifacts"
    assert server.get(PROXY, path=f"{place}/sagemaker/model").paths == ["model.tar.gz"]
    assert server.get(f"{PROXY}/{place}/{MODEL}").body == MODEL_BYTES


@pytest.mark.parametrize(
    "place",
    ["0/{run}/artifacts", "{run}/artifacts", "x/{run}/artifacts", "{exp}/{direct}/artifacts"],
)
def test_a_run_is_not_reached_by_another_experiments_path(server: Server, place: str) -> None:
    """Its place is the one that MLflow has of it."""
    path = place.format(run=server.proxied, direct=server.direct, exp=server.experiment)
    assert server.get(PROXY, path=path).paths == []
    assert server.get(PROXY, path=f"{path}/sagemaker/model").paths == []
    assert server.get(f"{PROXY}/{path}/{MODEL}").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "sagemaker/output/../../secret",
        "sagemaker/output/%2e%2e/x",
        "sagemaker/output/..%5cx",
        "/sagemaker/output",
    ],
)
def test_paths_that_lead_elsewhere_are_refused(
    server: Server, run_id: str, path: str, account: EmulatedAccount
) -> None:
    """Before AWS is asked."""
    account.reset_calls()
    assert server.file(run_id, path).status == 400
    assert dict(account.calls) == {}


def test_what_is_denied_is_said(server: Server, run_id: str, account: EmulatedAccount) -> None:
    """With MLflow's own code, in one line."""
    account.faults.deny("s3:*Object")
    answer = server.file(run_id, MODEL)
    account.faults.clear()
    assert answer.status == 403
    assert answer.json["error_code"] == "PERMISSION_DENIED"
    assert "s3:GetObject is denied" in answer.json["message"]


def test_an_edited_run_shows_nothing(server: Server, account: EmulatedAccount) -> None:
    """Over REST as well."""
    client = MlflowClient(tracking_uri=server.address)
    run_id = sealed(client, server.experiment)
    client.set_tag(run_id, names.ARN, arn("job-2"))
    account.reset_calls()
    assert server.listed(run_id) == server.listed(run_id, "sagemaker/logs") == []
    assert server.file(run_id, LOG).status == 404
    assert dict(account.calls) == {}
