"""Whoever is told of alarms: a web hook, and a queue behind a topic of SNS."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3

LONGEST_S = 120


@dataclass
class Hook:
    """A server that takes what apprise posts to ``json://``.

    Attributes
    ----------
    refusing
        How many more requests it refuses.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    refusing: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        """Its address, as apprise has it; with a secret in it."""
        return f"json://127.0.0.1:{self.port}/hush-hush"

    @property
    def titles(self) -> list[str]:
        """The subjects of its messages, in order."""
        return [each["title"] for each in self.messages]

    def heard(self, *titles: str) -> None:
        """Wait until these messages have come, and no others, in whatever order."""
        until(lambda: sorted(self.titles) == sorted(titles), lambda: self.titles)


@contextmanager
def hook() -> Iterator[Hook]:
    """Serve a web hook."""
    served = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            served.refusing -= 1
            self.send_response(503 if served.refusing >= 0 else 200)
            self.end_headers()
            if served.refusing < 0:
                served.messages.append(json.loads(body))

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def deaf() -> Iterator[str]:
    """Listen, take connections, and never answer; give the URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield f"json://127.0.0.1:{server.getsockname()[1]}/hush-hush"


@dataclass
class Topic:
    """A topic of the emulated account, and a queue that subscribes to it."""

    arn: str
    queue_url: str
    sqs: Any
    subjects: list[str] = field(default_factory=list)

    def heard(self, *subjects: str) -> None:
        """Wait until these messages have come, and no others, in whatever order."""

        def came() -> bool:
            answer = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
            for each in answer.get("Messages", ()):
                self.subjects.append(json.loads(each["Body"])["Subject"])
                self.sqs.delete_message(
                    QueueUrl=self.queue_url, ReceiptHandle=each["ReceiptHandle"]
                )
            return sorted(self.subjects) == sorted(subjects)

        until(came, lambda: self.subjects)


def put_topic(environment: Mapping[str, str], region: str) -> Topic:
    """Make a topic and its queue in an emulated account."""
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=region,
    )
    endpoint = environment["AWS_ENDPOINT_URL"]
    sns, sqs = (session.client(each, endpoint_url=endpoint) for each in ("sns", "sqs"))
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    url = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    wanted = ["QueueArn"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["QueueArn"])
    return Topic(arn=topic, queue_url=url, sqs=sqs)


def until(true: Callable[[], bool], shown: Callable[[], object]) -> None:
    """Wait until something is so."""
    last = time.monotonic() + LONGEST_S
    while not true():
        assert time.monotonic() < last, shown()
        time.sleep(0.05)
