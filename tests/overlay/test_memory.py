"""How much memory a large log or object takes, measured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.overlay.conftest import CREATED_MS, s3

MEGABYTE = 1_000_000
EVENTS = 10_000
MESSAGE = "x" * 99
PROGRAM = """
import resource, sys
from pathlib import Path
from mlflow_smwatch.core.job_files import S3Place
from mlflow_smwatch.overlay.account import Account

def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

account, file = Account.of("us-east-1"), Path(sys.argv[2])
if sys.argv[1] == "log":
    account.tail("group", "job/algo-1-1")
    before = memory()
    account.write_log("group", "job/algo-1-1", file)
else:
    account.objects.download(S3Place(bucket="large", key="small"), file)
    before = memory()
    account.objects.download(S3Place(bucket="large", key="object"), file)
print(memory() - before)
"""


@contextmanager
def stream_of(pages: int) -> Iterator[str]:
    """Serve one log stream of as many pages of 1 MB; gives the address."""
    event = {"timestamp": CREATED_MS, "message": MESSAGE, "ingestionTime": CREATED_MS}
    page = json.dumps([event] * EVENTS)

    class Logs(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = int(asked.get("nextToken", "0"))
            events, token = (page, number + 1) if number < pages else ("[]", number)
            body = (
                f'{{"nextForwardToken": "{token}", "nextBackwardToken": "0", "events": {events}}}'
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Logs)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def growth(what: str, file: Path, **env: str) -> int:
    """Tell by how many bytes a process grew while it wrote something into a file."""
    done = subprocess.run(
        (sys.executable, "-c", PROGRAM, what, str(file)),
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize(
    "pages", [60, pytest.param(1_000, marks=pytest.mark.slow)], ids=["60 MB", "1 GB"]
)
@pytest.mark.usefixtures("account")
def test_a_log_is_written_in_constant_memory(tmp_path: Path, pages: int) -> None:
    """The largest takes no more than a few pages."""
    file = tmp_path / "log"
    with stream_of(pages) as address:
        grown = growth("log", file, AWS_ENDPOINT_URL=address)
    assert file.stat().st_size == pages * EVENTS * 100
    assert grown < 30 * MEGABYTE


@pytest.mark.usefixtures("account")
def test_an_object_is_written_in_constant_memory(tmp_path: Path) -> None:
    """A few ranges at a time."""
    s3().create_bucket(Bucket="large")
    for key, size in (("small", MEGABYTE), ("object", 128 * MEGABYTE)):
        s3().put_object(Bucket="large", Key=key, Body=bytes(size))
    file = tmp_path / "object"
    assert growth("object", file) < 60 * MEGABYTE
    assert file.stat().st_size == 128 * MEGABYTE
