"""moto's server application, called in process for all that the account does not do itself."""

from __future__ import annotations

import io
import json
import logging
import threading
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.events.models import events_backends
from moto.iam.models import get_account_id_from
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import run_wsgi_app

from mlflow_smwatch.demo.errors import AwsError, refuse
from mlflow_smwatch.demo.validation import Answer
from mlflow_smwatch.demo.wire import Call, HttpRequest, Reply, error_reply, read_call

ACCOUNT_ID = DEFAULT_ACCOUNT_ID
RECORD_KEYS = {"ExperimentTrial": "Trial", "ExperimentTrialComponent": "TrialComponent"}
DROPPED_HEADERS = {"connection", "transfer-encoding"}
logger = logging.getLogger(__name__)


class MotoApplication:
    """moto, one request at a time."""

    def __init__(self) -> None:
        self._application = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.RLock()

    def reset(self) -> None:
        """Forget all state of moto in this process."""
        moto_api_backend.reset()

    def forward(self, call: Call, request: HttpRequest) -> Reply:
        """Let moto answer.

        Parameters
        ----------
        call
            What is asked.
        request
            How it was asked.

        Returns
        -------
        Reply
            moto's; HTTP 501 for an operation that moto lacks, so that no client tries again.
        """
        try:
            with self._lock:
                body, status, headers = run_wsgi_app(
                    self._application, _environ(request), buffered=True
                )
        except NotImplementedError:
            message = f"The emulated account does not have the operation {call.name}."
            return error_reply(call, AwsError("UnknownOperationException", message, 501))
        except Exception:  # moto lets its own mistakes through
            logger.debug("moto failed on %s", call.name, exc_info=True)
            return error_reply(call, AwsError("InternalFailure", "moto failed.", 500))
        kept = tuple((k, v) for k, v in headers.items() if k.lower() not in DROPPED_HEADERS)
        return Reply(status=int(status.split()[0]), headers=kept, body=b"".join(body))

    @staticmethod
    def account_of(access_key: str) -> str:
        """Tell whose key this is: a role's account's, or the account's own."""
        return get_account_id_from(access_key)

    def put_event(self, account_id: str, region: str, event: Answer) -> None:
        """Send an event of an AWS service to the default bus of an account's Region.

        Targets get the whole event, whatever input they ask for.
        """
        message: Any = event  # moto types it as the dictionary that it makes itself
        with self._lock:
            bus = events_backends[account_id][region].describe_event_bus("default")
            for rule in bus.rules.values():
                if rule.state == "ENABLED":
                    rule.send_to_targets(message, transform_input=False)

    def search_records(self, resource: str, region: str) -> list[Answer]:
        """Give all records of a Search resource, as moto's Search answers them.

        Raises
        ------
        AwsError
            moto does not know the resource.
        """
        request = _search_request(resource, region)
        reply = self.forward(read_call(request, region), request)
        answer = json.loads(reply.body)
        if reply.status != HTTPStatus.OK:
            message = f"The emulated account has no {resource} to search for."
            refuse("ValidationException", message)
        key = RECORD_KEYS.get(resource, resource)
        return [result[key] for result in answer["Results"]]


def _search_request(resource: str, region: str) -> HttpRequest:
    scope = f"AWS4-HMAC-SHA256 Credential=key/20200101/{region}/sagemaker/aws4_request, "
    return HttpRequest(
        method="POST",
        path="/",
        query="",
        headers={
            "x-amz-target": "SageMaker.Search",
            "content-type": "application/x-amz-json-1.1",
            "authorization": f"{scope}SignedHeaders=host, Signature=0",
            "host": "127.0.0.1",
        },
        body=json.dumps({"Resource": resource}).encode(),
    )


def _environ(request: HttpRequest) -> dict[str, Any]:
    """Make the WSGI environment of a request."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(request.path, "latin-1"),
        "RAW_URI": request.path + (f"?{request.query}" if request.query else ""),
        "REQUEST_URI": request.path + (f"?{request.query}" if request.query else ""),
        "QUERY_STRING": request.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        if name in {"content-length", "transfer-encoding"}:
            continue
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ
