"""What CloudWatch refuses of dashboards; moto keeps those that it takes.

Source: CloudWatch API reference, "PutDashboard" and "Dashboard body structure and syntax"; User
Guide, "CloudWatch service quotas".
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from mlflow_smwatch.demo.errors import NotOursError, refuse
from mlflow_smwatch.demo.validation import Answer, Parameters

WIDGETS = 500
METRICS_PER_WIDGET = 500
METRICS = 2_500
COLUMNS = 24
NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
TYPES = {"alarm", "explorer", "log", "metric", "text"}


def put_dashboard(parameters: Parameters) -> Answer:
    """Check a dashboard, and leave the rest to moto.

    Raises
    ------
    AwsError
        CloudWatch would not take it.
    NotOursError
        It would.
    """
    if not NAME.fullmatch(parameters["DashboardName"]):
        _refuse("The dashboard name has characters that are not allowed, or too many.")
    widgets = _widgets(parameters["DashboardBody"])
    if len(widgets) > WIDGETS:
        _refuse(f"There are more than {WIDGETS} widgets.")
    counts = [_checked(widget) for widget in widgets]
    if sum(counts) > METRICS:
        _refuse(f"There are more than {METRICS} metrics.")
    raise NotOursError


def _widgets(body: str) -> list[dict[str, Any]]:
    try:
        widgets: list[dict[str, Any]] = json.loads(body)["widgets"]
    except (ValueError, LookupError, TypeError):
        _refuse("The dashboard body is no JSON object with widgets.")
    return widgets


def _checked(widget: dict[str, Any]) -> int:
    """Check a widget, and tell how many metrics it has."""
    if widget.get("type") not in TYPES:
        _refuse("A widget has a type that is unknown.")
    if widget.get("x", 0) + widget.get("width", 6) > COLUMNS or widget.get("height", 6) < 1:
        _refuse(f"A widget lies outside of the {COLUMNS} columns.")
    properties = widget.get("properties", {})
    if widget["type"] == "text":
        if not isinstance(properties.get("markdown"), str):
            _refuse("A text widget lacks its markdown.")
        return 0
    metrics = properties.get("metrics", [])
    if len(metrics) > METRICS_PER_WIDGET:
        _refuse(f"A widget has more than {METRICS_PER_WIDGET} metrics.")
    for metric in metrics:
        words = metric[:-1] if isinstance(metric[-1], dict) else metric
        if len(words) % 2 or not all(isinstance(word, str) for word in words):
            _refuse("A metric is no namespace, name, and pairs of dimension and value.")
    return len(metrics)


def _refuse(message: str) -> NoReturn:
    refuse("InvalidParameterInput", message)
