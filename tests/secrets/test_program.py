"""No secret comes out of the program: neither into MLflow nor onto a stream, a file or a page."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli import program
from tests.secrets.canaries import Canaries, missing, sightings, stored
from tests.secrets.conftest import Planted
from tests.secrets.planted import CODE_NAME
from tests.server.served import serving, until

LONGEST_S = 90
DENIED = "sagemaker:ListAssociations"


def run_all(planted: Planted, folder: Path) -> Iterator[tuple[str, str]]:
    """Run every command; give what it was and what it said on both streams."""
    env = program.environment(folder, planted.environment)
    env["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    for line in (
        "sync --dry-run --json -v",
        "sync -v --register churn",
        "sync train nobody --json --log-json -v",
        "verify -v --json",
        "status -v",
        "lineage train",
        "lineage train --format html --source aws",
        f"lineage train --source aws --redact {CODE_NAME.split()[1]}",
    ):
        done = program.run(*line.split(), cwd=folder, env=env)
        assert done.code in {0, 1}, done.err
        yield line, done.out + done.err


def watch(planted: Planted, folder: Path) -> str:
    """Watch for some passes, in one of which AWS refuses with a secret in its words."""
    env = program.environment(folder, planted.environment)
    status = folder / "status.json"
    words = ["watch", "--interval", "0.2", "--log-json", "-v", "--until-eof"]
    words += ["--status-file", str(status), "--tracking-uri", f"sqlite:///{folder}/mlflow.db"]
    text = planted.canaries.sentence("words of AWS", 250)
    planted.canaries.others = {
        other: where for other, where in planted.canaries.others.items() if other not in text
    }
    planted.account.faults.fail(DENIED, code="AccessDeniedException", message=text, times=None)
    try:
        with subprocess.Popen(
            (*program.PROGRAM, *words),
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        ) as watching:
            end = time.monotonic() + LONGEST_S
            while not (status.exists() and json.loads(status.read_text())["passes"] > 1):
                assert watching.poll() is None, watching.communicate()
                assert time.monotonic() < end
                time.sleep(0.1)
            said, _ = watching.communicate(timeout=LONGEST_S)
    finally:
        planted.account.faults.clear()
    assert text.split()[0] in said
    return said


@pytest.mark.slow
def test_every_command(planted: Planted, tmp_path: Path) -> None:
    """Of all commands, with all that they may say."""
    assert planted.account.requests == []
    said = {name: text.encode() for name, text in run_all(planted, tmp_path)}
    said["watch"] = watch(planted, tmp_path).encode()
    found = {**said, **stored(tmp_path)}
    assert {"mlflow.db", "status.json"} <= found.keys()
    assert sightings(planted.canaries.secrets, found) == []
    assert missing(planted.canaries.others, found) == []
    assert sightings({planted.environment["AWS_ACCESS_KEY_ID"]: "key id"}, found) == []
    assert CODE_NAME.split()[1].encode() not in said["lineage train --source aws --redact Adler"]


@pytest.mark.slow
def test_a_server(planted: Planted, tmp_path: Path) -> None:
    """With the mirror in it: pages, log, and what it stores; the patterns reach its mirror."""
    with serving(tmp_path, planted.environment, SMWATCH_REDACT=f"nothing\n{CODE_NAME}") as server:
        until(lambda: missing(planted.canaries.others, stored(tmp_path)) == [], server)
        pages = ("/smwatch", "/smwatch/status.json", "/smwatch/health")
        shown = {page: server.get(page).text.encode() for page in pages}
    found = {**shown, **stored(tmp_path)}
    assert sightings({**planted.canaries.secrets, CODE_NAME: "a pattern"}, found) == []


class _Echo(BaseHTTPRequestHandler):
    """Refuses everything in words that repeat what it was sent."""

    def do_GET(self) -> None:
        self._refuse()

    def do_POST(self) -> None:
        self._refuse()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Say nothing."""

    def _refuse(self) -> None:
        host = self.headers.get("Host")
        text = f"no access for {self.headers.get('Authorization')} at http://bob:x@{host}"
        body = json.dumps({"error_code": "PERMISSION_DENIED", "message": text}).encode()
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def refusing() -> Iterator[str]:
    """Serve on loopback what refuses everybody; give host and port."""
    server = HTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "store"),
    [
        ("sync -v", "http://bob:{password}@127.0.0.1:9"),
        ("sync -v --log-json", "http://bob:{password}@{refusing}"),
        ("watch --log-json -v", "http://bob:{password}@{refusing}"),
        ("status --json", "http://bob:{password}@{refusing}"),
        ("sync -v", "postgresql://bob:{password}@127.0.0.1:9/mlflow"),
        ("verify", "mysql+pymysql://bob:{password}@127.0.0.1:9/x?ssl_key_password={password}"),
        ("sync -v", "sqlite:////nowhere/x.db?password={password}"),
    ],
)
def test_the_password_of_a_store(tmp_path: Path, refusing: str, command: str, store: str) -> None:
    """It is in no message, whoever refuses or cannot be reached."""
    canaries = Canaries()
    password = canaries.secret("tracking URI")
    uri = store.format(password=password, refusing=refusing)
    credentials = {
        "AWS_ACCESS_KEY_ID": canaries.key_id("AWS_ACCESS_KEY_ID"),
        "AWS_SECRET_ACCESS_KEY": canaries.secret("AWS_SECRET_ACCESS_KEY"),
        "AWS_SESSION_TOKEN": canaries.secret("AWS_SESSION_TOKEN"),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "1",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_TRACKING_USERNAME": "ann",
        "MLFLOW_TRACKING_PASSWORD": canaries.secret("MLFLOW_TRACKING_PASSWORD"),
    }
    env = program.environment(tmp_path, {**credentials, "MLFLOW_TRACKING_URI": uri})
    done = program.run(*command.split(), cwd=tmp_path, env=env)
    assert done.code == 3, (done.out, done.err)
    found = {"out": done.out.encode(), "err": done.err.encode(), **stored(tmp_path)}
    assert sightings(canaries.secrets, found) == []
    assert "Traceback" not in done.err
