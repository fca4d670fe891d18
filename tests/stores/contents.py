"""Everything that a store holds of each mirrored job, less what differs by its nature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run

OF_THE_PASS = ("smwatch.synced_at", "smwatch.state", "mlflow.user")
STATE_OF_THE_PASS = ("made_ms",)


def contents(uri: str, folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Read the content of a store, job by job.

    Parameters
    ----------
    uri
        Tracking URI.
    folder
        Where artifacts may be put; None leaves them out.
    """
    client = MlflowClient(tracking_uri=uri)
    names = {each.experiment_id: each.name for each in client.search_experiments()}
    runs = client.search_runs(list(names), max_results=1000)
    found = (run.info.run_id for run in runs if "sagemaker.arn" in run.data.tags)
    jobs = (client.get_run(run_id) for run_id in found)  # a search tells no outputs in MLflow 3.0
    return {run.data.tags["sagemaker.arn"]: _content(client, run, names, folder) for run in jobs}


def _content(
    client: MlflowClient, run: Run, names: dict[str, str], folder: Path | None
) -> dict[str, Any]:
    info, tags = run.info, run.data.tags
    assert run.inputs
    assert run.outputs
    state = "".join(
        tags[key] for key in sorted(key for key in tags if key.startswith("smwatch.state"))
    )
    mark = {k: v for k, v in json.loads(state).items() if k not in STATE_OF_THE_PASS}
    return {
        "experiment": names[info.experiment_id],
        "fields": (info.run_name, info.status, info.start_time, info.end_time),
        "tags": {k: v for k, v in tags.items() if not k.startswith(OF_THE_PASS)},
        "state": mark,
        "params": run.data.params,
        "metrics": {key: _series(client, info.run_id, key) for key in run.data.metrics},
        "datasets": sorted(
            (
                each.dataset.name,
                each.dataset.digest,
                each.dataset.source_type,
                each.dataset.source,
                [(tag.key, tag.value) for tag in each.tags],
            )
            for each in run.inputs.dataset_inputs
        ),
        "models": [_model(client, each.model_id) for each in run.outputs.model_outputs],
        "document": _document(client, info.run_id, folder) if folder else None,
    }


def _series(client: MlflowClient, run_id: str, key: str) -> list[tuple[int, int, float]]:
    history = client.get_metric_history(run_id, key)
    return sorted((each.timestamp, each.step, each.value) for each in history)


def _model(client: MlflowClient, model_id: str) -> tuple[Any, ...]:
    model = client.get_logged_model(model_id)
    return (model.name, str(model.status), model.tags, model.params)


def _document(client: MlflowClient, run_id: str, folder: Path) -> Any:
    mlflow.set_tracking_uri(client.tracking_uri)
    target = folder / run_id
    target.mkdir()
    path = client.download_artifacts(run_id, "sagemaker/job.json", str(target))
    return json.loads(Path(path).read_text(encoding="utf-8"))
