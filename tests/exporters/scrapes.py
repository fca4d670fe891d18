"""What a scrape of the exporter says."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from mlflow_smwatch.exporters.prometheus import WatchCollector, registry_of


def samples(text: str) -> list[Sample]:
    """Parse an exposition."""
    return [each for family in text_string_to_metric_families(text) for each in family.samples]


def exposed(collector: WatchCollector) -> str:
    """Give what a scrape of a collector answers."""
    return generate_latest(registry_of(collector)).decode()


def scraped(url: str) -> list[Sample]:
    """Scrape once."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return samples(answer.read().decode())


def value(found: Iterable[Sample], sample: str, /, **labels: str) -> float | None:
    """Give the one sample with a name and labels; None where there is none."""
    fits = [
        each.value
        for each in found
        if each.name == sample and labels.items() <= each.labels.items()
    ]
    assert len(fits) <= 1, fits
    return fits[0] if fits else None
