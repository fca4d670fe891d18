"""Asks which metrics CloudWatch has of endpoints: ``ListMetrics``, 500 a page.

A new metric is listed after up to 15 minutes, and two weeks after its last point no longer. So what
is listed only adds to what an endpoint's description tells, and is asked for again no sooner.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_smwatch.aws.operations import LIST_METRICS
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.endpoint_bounds import INSTANCE_METRICS_LIMIT
from mlflow_smwatch.core.endpoint_series import (
    COMPONENT_NAME,
    COMPONENTS,
    ENDPOINT_NAME,
    HOST,
    INSTANCES,
    INVOCATIONS,
    EndpointMetric,
)
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    InvalidRequestError,
    RetriableError,
    SmwatchError,
)

FRESH_S = 900.0
"""How long a list is taken for the present one."""

_KNOWN_ONLY = "metrics of endpoints that their description does not tell are left out"


@dataclass(frozen=True, slots=True)
class _Question:
    """One list: a namespace, and the dimension that its metrics must have, with a value or not."""

    namespace: str
    dimension: str
    value: str | None = None

    @property
    def request(self) -> dict[str, Any]:
        """What ``ListMetrics`` is asked."""
        wanted = {"Name": self.dimension} | ({"Value": self.value} if self.value else {})
        return {"Namespace": self.namespace, "Dimensions": [wanted]}


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    """What a question was answered: whose metrics, by name; or why it was not."""

    due_s: float
    of: Mapping[str, tuple[EndpointMetric, ...]]
    error: SmwatchError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The metrics of an endpoint.

    Attributes
    ----------
    metrics
        Those that are listed, each once.
    whole
        Whether all lists could be had.
    """

    metrics: tuple[EndpointMetric, ...]
    whole: bool


class EndpointMetrics:
    """Lists the metrics of the endpoints of one account and Region; used by several threads.

    Parameters
    ----------
    aws
        The clients.
    clock_s
        Monotonic seconds.
    """

    def __init__(self, aws: Aws, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._aws = aws
        self._clock_s = clock_s
        self._lists: dict[_Question, _List] = {}
        self._left_out: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def warnings(self) -> list[str]:
        """Why metrics are left out, in words; each once."""
        errors = [each.error for each in self._lists.values() if each.error]
        denied = list(dict.fromkeys(f"{_KNOWN_ONLY}: {error}" for error in errors))
        with self._lock:
            left_out = sorted(self._left_out.items())
        return [*denied, *(_too_many(name, count) for name, count in left_out)]

    def leave_out(self, endpoint: str, count: int) -> None:
        """Note how many metrics of its instances are left out of an endpoint by now."""
        with self._lock:
            self._left_out.pop(endpoint, None)
            if count:
                self._left_out[endpoint] = count

    def of(self, endpoint: str, components: Iterable[str] = (), *, alone: bool = False) -> Listed:
        """List the metrics of an endpoint; where a list cannot be had, those of the others.

        Parameters
        ----------
        endpoint
            Its name.
        components
            Names of its inference components, whose metrics do not name the endpoint.
        alone
            Whether few endpoints are asked for: then each list is of one; else of all.

        Raises
        ------
        StopError
            When nothing more can be done.
        """
        asked = [(each, endpoint) for each in _of_endpoint(endpoint if alone else None)]
        for name in components:
            asked += [(each, name) for each in _of_component(name if alone else None)]
        lists = [(self._list(question), name) for question, name in asked]
        found = dict.fromkeys(each for one, name in lists for each in one.of.get(name, ()))
        return Listed(metrics=tuple(found), whole=not any(one.error for one, _ in lists))

    def _list(self, question: _Question) -> _List:
        with self._lock:
            known = self._lists.get(question)
            if known is None or self._clock_s() >= known.due_s:
                known = self._lists[question] = self._ask(question)
        return known

    def _ask(self, question: _Question) -> _List:
        due_s = self._clock_s() + FRESH_S
        found: dict[str, list[EndpointMetric]] = {}
        try:
            for metric in self._metrics(question):
                found.setdefault(_owner(metric, question.dimension), []).append(metric)
        except (AccessDeniedError, RetriableError, InvalidRequestError) as error:
            return _List(due_s=due_s, of={}, error=error)
        return _List(due_s=due_s, of={name: tuple(each) for name, each in found.items()})

    def _metrics(self, question: _Question) -> Iterator[EndpointMetric]:
        request = question.request
        while True:
            page = ask(LIST_METRICS, self._aws.cloudwatch.list_metrics, request, "Metrics")
            for each in page["Metrics"]:
                pairs = ((one["Name"], one["Value"]) for one in each.get("Dimensions") or ())
                yield EndpointMetric(each["Namespace"], each["MetricName"], tuple(sorted(pairs)))
            if not page.get("NextToken"):
                return
            request["NextToken"] = page["NextToken"]


def _too_many(endpoint: str, count: int) -> str:
    return (
        f"{count} metrics of instances of the endpoint {endpoint} are left out: it has more than"
        f" {INSTANCE_METRICS_LIMIT}"
    )


def _of_endpoint(name: str | None) -> tuple[_Question, ...]:
    """Ask for the metrics of an endpoint, or of all; ``Host`` is filtered by its whole alone."""
    return (
        _Question(INVOCATIONS, ENDPOINT_NAME, name),
        _Question(INSTANCES, ENDPOINT_NAME, name),
        _Question(INSTANCES, HOST),
    )


def _of_component(name: str | None) -> tuple[_Question, ...]:
    return tuple(_Question(each, COMPONENT_NAME, name) for each in (INVOCATIONS, COMPONENTS))


def _owner(metric: EndpointMetric, dimension: str) -> str:
    """Tell whose a metric is: ``Host`` is ``<endpoint>/<variant>/<instance>``."""
    value = dict(metric.dimensions).get(dimension, "")
    return value.partition("/")[0] if dimension == HOST else value
