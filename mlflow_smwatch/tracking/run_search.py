"""Searches the runs of all experiments, and turns MLflow's runs into plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mlflow.entities import Run, ViewType

from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.store import Tracking, listing_errors

_PAGE = 1000


class RunSearch:
    """Searches runs; deleted ones too, unless a view is given.

    Parameters
    ----------
    tracking
        The store.
    experiments
        Its experiments; runs are looked for in all of them.
    """

    def __init__(self, tracking: Tracking, experiments: Experiments) -> None:
        self._tracking = tracking
        self._experiments = experiments

    def search(self, condition: str, view: int = ViewType.ALL) -> Iterator[KnownRun]:
        """Give the runs that meet a condition, page by page."""
        token = None
        while True:
            with listing_errors("looking for runs"):
                page = self._tracking.client.search_runs(
                    self._experiments.ids, condition, view, max_results=_PAGE, page_token=token
                )
            yield from (known_run(run) for run in page)
            token = page.token
            if not token:
                return

    def with_arns(self, arns: Iterable[str]) -> list[KnownRun] | None:
        """Give the runs that carry one of these ARNs; None where one query cannot ask for them."""
        bulk = self._tracking.bulk
        if bulk is None:
            return None
        from mlflow_smwatch.tracking.bulk_find import runs_of

        return runs_of(bulk, arns)

    def active_like(self, key: str, pattern: str) -> Iterator[KnownRun]:
        """Give the runs that are not deleted and have a tag like a pattern of SQL's."""
        bulk = self._tracking.bulk
        if bulk is None:
            return self.search(f"tags.`{key}` LIKE '{pattern}'", ViewType.ACTIVE_ONLY)
        from mlflow_smwatch.tracking.bulk_find import active_runs_like

        return active_runs_like(bulk, key, pattern)

    def in_range(
        self, condition: str, start_ms: int, end_ms: int, jobs: int
    ) -> list[KnownRun] | None:
        """Give the runs that start in a range; None where there are too many."""
        condition = (
            f"{condition} AND attributes.start_time >= {start_ms}"
            f" AND attributes.start_time <= {end_ms}"
        )
        with listing_errors("looking for runs"):
            page = self._tracking.client.search_runs(
                self._experiments.ids,
                condition,
                ViewType.ALL,
                max_results=min(_PAGE, 3 * jobs + 50),
            )
        return None if page.token else [known_run(run) for run in page]


def known_run(run: Run) -> KnownRun:
    """Turn a run of MLflow's into a plain value."""
    tags: Mapping[str, str] = run.data.tags
    inputs = run.inputs.dataset_inputs if run.inputs else ()
    outputs = getattr(run, "outputs", None)
    return KnownRun(
        run_id=run.info.run_id,
        experiment_id=str(run.info.experiment_id),
        status=run.info.status,
        start_ms=run.info.start_time,
        end_ms=run.info.end_time,
        active=run.info.lifecycle_stage == "active",
        tags=tags,
        params=run.data.params,
        metric_keys=frozenset(run.data.metrics),
        last_steps={each.key: each.step for each in run.data._metric_objs},  # noqa: SLF001 - nowhere else
        dataset_digests=frozenset(each.dataset.digest for each in inputs),
        model_ids=frozenset(each.model_id for each in outputs.model_outputs)
        if outputs
        else frozenset(),
        artifact_uri=run.info.artifact_uri,
    )
