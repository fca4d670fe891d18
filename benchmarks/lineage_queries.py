"""Asks for lineage as a program of a user's does, beside a plain search over the same runs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from mlflow import MlflowClient

import mlflow_smwatch
from benchmarks.lineage_store import FAMILY, name_of

_PAGE = 1000

_Result = TypeVar("_Result")


def main() -> None:
    """Take the tracking URI and the number of runs; print what each reading took, seconds."""
    uri, runs = sys.argv[1], int(sys.argv[2])
    asked = name_of(runs // 2 // FAMILY * FAMILY + FAMILY // 2)
    client = MlflowClient(tracking_uri=uri)
    client.search_experiments()
    found, search_s = _timed(lambda: _search(client))
    graph, first_s = _timed(lambda: mlflow_smwatch.lineage(asked, tracking_uri=uri))
    again, second_s = _timed(lambda: mlflow_smwatch.lineage(asked, tracking_uri=uri))
    whole = mlflow_smwatch.lineage(tracking_uri=uri)
    print(
        json.dumps(
            {
                "runs": found,
                "edges": len(whole.edges),
                "nodes_around": len(graph.nodes),
                "same_answer": graph.to_json() == again.to_json(),
                "search_s": search_s,
                "first_s": first_s,
                "second_s": second_s,
            }
        )
    )


def _search(client: MlflowClient) -> int:
    ids = [each.experiment_id for each in client.search_experiments()]
    count, token = 0, None
    while True:
        page = client.search_runs(ids, max_results=_PAGE, page_token=token)
        count, token = count + len(page), page.token
        if not token:
            return count


def _timed(work: Callable[[], _Result]) -> tuple[_Result, float]:
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun


if __name__ == "__main__":
    main()
