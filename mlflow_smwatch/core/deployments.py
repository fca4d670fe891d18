"""Which deployments an endpoint has had: what AWS says now, and the tags of its run → tags.

A deployment is what an endpoint in service is made of: configuration, models, weights, instances.
AWS tells the present one alone, so the run keeps the earlier ones. Key and value of a tag are made
of AWS's answer alone: two mirrors write the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT
from mlflow_smwatch.core.moments import iso_utc, to_ms
from mlflow_smwatch.core.variants import Component, Variant

KEPT = 50
"""As many deployments are tags of a run, the latest."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_COUNT = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What an endpoint is made of since a moment.

    Attributes
    ----------
    at_ms
        When it came into service: LastModifiedTime of the endpoint, or of an inference component
        that changed later.
    text
        What is deployed, as JSON.
    """

    at_ms: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployments:
    """The deployments of an endpoint that are known, the earliest first.

    Attributes
    ----------
    before
        How many there were before the first of them.
    known
        The latest.
    """

    before: int = 0
    known: tuple[Deployment, ...] = ()

    @property
    def count(self) -> int:
        """How many there were in all."""
        return self.before + len(self.known)

    def numbered(self) -> Iterator[tuple[int, Deployment]]:
        """Give those that are known with their numbers; the endpoint's first is 1."""
        return enumerate(self.known, self.before + 1)

    def to_tags(self) -> dict[str, str]:
        """Write them as tags; nothing where there is none."""
        if not self.known:
            return {}
        tags = {f"{names.DEPLOYMENT_PREFIX}{iso_utc(one.at_ms)}": one.text for one in self.known}
        return {**tags, names.DEPLOYMENTS: str(self.count)}


def deployment(at_ms: int, config: str | None, variants: Sequence[Variant]) -> Deployment:
    """Describe what an endpoint in service is made of.

    Parameters
    ----------
    at_ms
        When it came into service.
    config
        Name of its configuration.
    variants
        Its variants, shadow variants too.

    Returns
    -------
    Deployment
        Its text is within a tag's limit: inference components are counted where they do not fit.
    """
    text = _text(config, variants, listed=True)
    if len(text) > TAG_VALUE_LIMIT:
        text = _text(config, variants, listed=False)
    return Deployment(at_ms=at_ms, text=text)


def deployments(present: Deployment | None, tags: Mapping[str, str]) -> Deployments:
    """Tell which deployments an endpoint has had.

    Parameters
    ----------
    present
        The one that AWS tells; None where it tells none, as during an update.
    tags
        Of the endpoint's run, with those that earlier passes wrote.

    Returns
    -------
    Deployments
        With the present one where it is another than the last, or where there was none.
    """
    known = tuple(_earlier(tags))
    counted = tags.get(names.DEPLOYMENTS, "")
    count = max(len(known), int(counted) if _COUNT.fullmatch(counted) else 0)
    last = known[-1] if known else None
    is_new = present is not None and (
        last is None or (present.at_ms > last.at_ms and present.text != last.text)
    )
    if present is not None and is_new:
        known, count = (*known, present), count + 1
    known = known[-KEPT:]
    return Deployments(before=count - len(known), known=known)


def _earlier(tags: Mapping[str, str]) -> Iterator[Deployment]:
    """Read the deployments that a run's tags hold; a tag of another form is none."""
    for key in sorted(key for key in tags if key.startswith(names.DEPLOYMENT_PREFIX)):
        time = key.removeprefix(names.DEPLOYMENT_PREFIX)
        if _TIME.fullmatch(time) and (at_ms := _moment_ms(time)) is not None:
            yield Deployment(at_ms=at_ms, text=tags[key])


def _moment_ms(time: str) -> int | None:
    try:
        return to_ms(datetime.fromisoformat(time.replace("Z", "+00:00")))
    except ValueError:
        return None


def _text(config: str | None, variants: Sequence[Variant], *, listed: bool) -> str:
    content = {
        "config": config,
        "variants": {
            each.name: _variant(each, listed=listed)
            for each in sorted(variants, key=lambda one: (one.shadow, one.name))
        },
    }
    return json.dumps(_present(content))


def _variant(variant: Variant, *, listed: bool) -> dict[str, Any]:
    components = sorted(variant.components, key=lambda one: one.name)
    return _present(
        {
            "model": variant.model,
            "weight": _plain(variant.weight),
            "instance_type": variant.instance_type,
            "instance_count": variant.count,
            "serverless": dict(variant.serverless),
            "components": {one.name: _component(one) for one in components}
            if listed
            else len(components),
            "shadow": variant.shadow or None,
        }
    )


def _component(component: Component) -> dict[str, Any]:
    return _present(
        {
            "model": component.model,
            "image": component.image,
            "based_on": component.based_on,
            "copies": component.copies,
        }
    )


def _plain(value: float | None) -> float | None:
    """Write a whole number without a fraction."""
    return int(value) if value is not None and value.is_integer() else value


def _present(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if value not in (None, {})}
