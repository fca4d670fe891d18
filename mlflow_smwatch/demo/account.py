"""An emulated AWS account, served over HTTP on loopback.

Built on moto's server. Jobs of every kind, models, endpoints, pipelines, Search, CloudWatch metrics
and log events are the account's own, with the rules and limits of AWS's documentation; what it does
not serve is moto's. Clients reach it through ``AWS_ENDPOINT_URL`` alone.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mlflow_smwatch.demo import long_poll
from mlflow_smwatch.demo.account_contents import AccountContents
from mlflow_smwatch.demo.breakages import Breakage
from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.errors import AwsError, NotOursError, refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.moto_server import ACCOUNT_ID, MotoApplication
from mlflow_smwatch.demo.region import Region
from mlflow_smwatch.demo.server import LoopbackServer
from mlflow_smwatch.demo.signatures import Sent
from mlflow_smwatch.demo.validation import Answer, Parameters, check_parameters
from mlflow_smwatch.demo.wire import (
    Call,
    HttpRequest,
    Reply,
    access_key_of,
    answer_reply,
    error_reply,
    query_parameters,
    read_call,
    service_error,
)

if TYPE_CHECKING:
    from typing_extensions import Self

PUT_METRIC_DATA_BYTES = 1_000_000
logger = logging.getLogger(__name__)
KEY_ID = "AKIAEMULATEDACCOUNT0"
ASSUME_ROLE = "sts:AssumeRole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request that was served.

    Attributes
    ----------
    operation
        As in ``sagemaker:Search``.
    parameters
        As sent.
    status
        HTTP status; 0 where the connection was reset instead.
    """

    operation: str
    parameters: dict[str, Any]
    status: int


class EmulatedAccount(AccountContents):
    """An AWS account that exists in this process, as long as the ``with`` block lasts.

    One at a time: entering resets what an earlier one left.

    Parameters
    ----------
    region
        Where the ``put_`` methods put things. Other Regions can be asked over HTTP too, and other
        accounts by ``AssumeRole`` with the ARN of any role; they are empty at first.
    port
        On 127.0.0.1; 0 for any free one.

    Attributes
    ----------
    clock
        The account's time.
    faults
        What is to go wrong.
    makes_components
        Whether training, processing and transform jobs have trial components of their own; those
        that are made stay.
    session_s
        How long the credentials of a role last, seconds; AWS gives none for less than 900.
    calls
        Number of requests served, by operation; failed ones included.
    requests
        The same requests, one by one.
    """

    def __init__(self, region: str = "us-east-1", port: int = 0) -> None:
        self.region = region
        self.clock = Clock()
        self.faults = Faults()
        self.makes_components = False
        self.session_s = 3600
        self.calls: Counter[str] = Counter()
        self.requests: list[Request] = []
        self._port = port
        self._lock = threading.Lock()
        self._regions: dict[tuple[str, str], Region] = {}
        self._accounts: dict[str, str] = {}
        self._moto = MotoApplication()
        self._server: LoopbackServer | None = None

    def __enter__(self) -> Self:
        """Start to serve, from an empty account."""
        self._moto.reset()
        self._regions.clear()
        self._accounts.clear()
        self._server = LoopbackServer(self._port, self._answer)
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving and forget everything."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        self._moto.reset()

    @property
    def endpoint(self) -> str:
        """URL of the account, for ``AWS_ENDPOINT_URL``.

        Raises
        ------
        RuntimeError
            The account is not being served.
        """
        if self._server is None:
            message = "the emulated account is served inside its with block only"
            raise RuntimeError(message)
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that lead any AWS client here."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": "emulated",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def reset_calls(self) -> None:
        """Forget the requests served so far."""
        self.calls.clear()
        self.requests.clear()

    @property
    def _home(self) -> Region:
        """What the account has in its own Region."""
        return self._in_region(self.region)

    def elsewhere(self, region: str | None = None, account_id: str = ACCOUNT_ID) -> AccountContents:
        """Give another Region, or another account, to be filled directly.

        Parameters
        ----------
        region
            Name; None for the account's own Region.
        account_id
            Of the other account, 12 digits; this one if not given.
        """
        return _Elsewhere(self.clock, self._in_region(region or self.region, account_id))

    def _in_region(self, name: str, account_id: str = ACCOUNT_ID) -> Region:
        with self._lock:
            found = self._regions.get((account_id, name))
            if found is None:
                found = self._regions[account_id, name] = Region(
                    account_id,
                    name,
                    self.clock,
                    self.faults,
                    other_records=lambda resource: self._moto.search_records(resource, name),
                    put_event=lambda event: self._moto.put_event(account_id, name, event),
                )
                found.experiments.makes_components = lambda: self.makes_components
            return found

    @property
    def _duration(self) -> bytes:
        return f"&DurationSeconds={self.session_s}".encode()

    def _account_of(self, request: HttpRequest) -> str:
        """Tell which account a request is for, by the key that signed it."""
        key = access_key_of(request)
        if key in {"", KEY_ID}:
            return ACCOUNT_ID
        if key not in self._accounts:
            self._accounts[key] = self._moto.account_of(key)
        return self._accounts[key]

    def _answer(self, request: HttpRequest) -> tuple[Reply, Breakage | None]:
        call = read_call(request, self.region)
        fault = self.faults.next_fault(call.name, _sent(call, request))
        if isinstance(fault, AwsError):
            reply = error_reply(call, service_error(call, fault))
        elif fault is Breakage.RESET:
            reply = error_reply(call, AwsError("ConnectionReset", "", 0))
        else:
            reply = self._operate(call, request)
        status = 0 if fault is Breakage.LOST else reply.status
        served = Request(operation=call.name, parameters=call.parameters, status=status)
        with self._lock:
            self.calls[call.name] += 1
            self.requests.append(served)
        return reply, fault if isinstance(fault, Breakage) else None

    def _operate(self, call: Call, request: HttpRequest) -> Reply:
        if call.name == long_poll.RECEIVE:
            server = self._server
            return long_poll.receive(
                self._moto.forward, call, request, lambda: self._server is server
            )
        if call.name == ASSUME_ROLE:
            request = replace(request, body=request.body + self._duration)
        region = self._in_region(call.region, self._account_of(request))
        handler = region.operations.get(call.name)
        if handler is None:
            return self._moto.forward(call, request)
        try:
            with region.lock:
                return answer_reply(call, handler(_checked(call, request)))
        except NotOursError:
            return self._moto.forward(call, request)
        except AwsError as error:
            return error_reply(call, error)
        except Exception:  # a mistake of the account's own must not look like a lost connection
            logger.exception("the emulated account failed on %s", call.name)
            return error_reply(call, AwsError("InternalFailure", "The account failed.", 500))


class _Elsewhere(AccountContents):
    """Another Region or account, filled directly."""

    def __init__(self, clock: Clock, home: Region) -> None:
        self.clock = clock
        self._region = home

    @property
    def _home(self) -> Region:
        return self._region


def _sent(call: Call, request: HttpRequest) -> Sent:
    signed = request.headers.get("x-amz-date")
    return Sent(
        key=access_key_of(request),
        signed=datetime.strptime(signed, "%Y%m%dT%H%M%S%z") if signed else None,
        leads_on=any(call.parameters.get(name) for name in ("NextToken", "nextToken")),
    )


def _checked(call: Call, request: HttpRequest) -> Parameters:
    if call.name == "cloudwatch:PutMetricData" and len(request.body) > PUT_METRIC_DATA_BYTES:
        refuse("RequestEntityTooLarge", "The request is larger than 1 MB.", 413)
    parameters: Answer = query_parameters(call) if call.protocol == "query" else call.parameters
    return check_parameters(call.service, call.operation, parameters)
