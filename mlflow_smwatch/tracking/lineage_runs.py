"""The runs that hold what SageMaker recorded of an account's lineage: one a month, only added to.

A tag's number follows from its content, so that two mirrors that write at once do not write over
each other, and one that was cut off writes nothing twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import count, product

from mlflow.entities import Run, ViewType

from mlflow_smwatch._version import __version__
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.describe import iso_utc, to_ms
from mlflow_smwatch.core.lineage import Lineage, Node
from mlflow_smwatch.core.lineage_nodes import key_of
from mlflow_smwatch.core.lineage_tags import from_tags, to_tags
from mlflow_smwatch.core.tags import LINEAGE
from mlflow_smwatch.tracking.batches import batches
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.lineage import ASSOCIATIONS, forget
from mlflow_smwatch.tracking.store import Tracking, tracking_errors

LINEAGE_EXPERIMENT = "sagemaker/lineage"
READ_TO = "smwatch.lineage_read_to"
UNRESOLVED_FROM = "smwatch.lineage_unresolved_from"

_MILLISECONDS = re.compile(r"[0-9]{1,13}")
_ACCOUNT = "sagemaker.account"
_NONE = "none"
_MOST_NUMBERS = 999_999_999
_RUNS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the associations of an account and Region were read.

    Attributes
    ----------
    read_to_ms
        CreationTime up to which all were; None for none yet.
    unresolved_ms
        CreationTime from which on artifacts or contexts could not be read; None where all could.
    """

    read_to_ms: int | None = None
    unresolved_ms: int | None = None


class Month:
    """The associations of one month that are stored.

    Parameters
    ----------
    runs
        That hold them; more than one where two mirrors made one each.
    """

    def __init__(self, runs: list[Run]) -> None:
        self.run_id: str | None = runs[0].info.run_id if runs else None
        self._keys: set[int] = set()
        self._numbers: dict[str, str] = {}
        for run in runs:
            self.take(from_tags(run.data.tags))
            self._numbers.update(
                (key, _digest(value))
                for key, value in run.data.tags.items()
                if key.startswith(f"{LINEAGE}.")
            )

    def holds(self, source: str, target: str, type_: str) -> bool:
        """Whether an association is stored, whatever ids or aliases its ends are named by."""
        return hash((key_of(source), key_of(target), type_)) in self._keys

    def take(self, lineage: Lineage) -> None:
        """Remember edges, under all names of their ends."""
        spellings = _spellings(lineage.nodes)
        for edge in lineage.edges:
            sources = spellings.get(edge.source, {key_of(edge.source)})
            targets = spellings.get(edge.target, {key_of(edge.target)})
            self._keys.update(hash((*ends, edge.type)) for ends in product(sources, targets))

    def numbered(self, value: str) -> str | None:
        """Choose the key of a new tag; None where the tag is there already."""
        digest = _digest(value)
        for number in count(int(digest[:12], 16)):
            key = f"{LINEAGE}.{number % _MOST_NUMBERS + 1}"
            if self._numbers.get(key) == digest:
                return None
            if key not in self._numbers:
                self._numbers[key] = digest
                return key
        raise AssertionError


class LineageRuns:
    """The associations of one account and Region in MLflow.

    Parameters
    ----------
    tracking
        The store.
    experiments
        Its experiments.
    account, region
        Whose they are.
    now_ms
        When this pass began.

    Raises
    ------
    JobError
        When the user deleted the experiment, with the command that restores it.
    """

    def __init__(
        self,
        tracking: Tracking,
        experiments: Experiments,
        *,
        account: str,
        region: str,
        now_ms: int,
    ) -> None:
        self._tracking = tracking
        self._experiments = experiments
        self._account = account
        self._region = region
        self._now_ms = now_ms
        self._experiment_id: str | None = self._existing()

    def _existing(self) -> str | None:
        for experiment_id in self._experiments.ids:
            if self._experiments.name_of(experiment_id) == LINEAGE_EXPERIMENT:
                self._experiments.require_active(experiment_id)
                return experiment_id
        return None

    def progress(self) -> Progress:
        """Tell how far the associations were read when the pass began."""
        if self._experiment_id is None:
            return Progress()
        tags = self._experiments.tags_of(self._experiment_id)
        return Progress(
            read_to_ms=_moment(tags, self._key(READ_TO)),
            unresolved_ms=_moment(tags, self._key(UNRESOLVED_FROM)),
        )

    def note_read_to(self, moment_ms: int) -> None:
        """Note that all associations up to a CreationTime (ms) are stored."""
        self._note(READ_TO, str(moment_ms))

    def note_unresolved(self, moment_ms: int | None) -> None:
        """Note from which CreationTime (ms) on artifacts are to be read anew; None for none."""
        self._note(UNRESOLVED_FROM, _NONE if moment_ms is None else str(moment_ms))

    def month(self, name: str) -> Month:
        """Read what is stored of a month, such as ``2026-11``."""
        if self._experiment_id is None:
            return Month([])
        condition = (
            f"tags.`{ASSOCIATIONS}` = '{name}' AND tags.`{_ACCOUNT}` = '{self._account}'"
            f" AND tags.`{names.REGION}` = '{self._region}'"
        )
        with tracking_errors("looking for stored lineage"):
            found = self._tracking.client.search_runs(
                [self._experiment_id],
                condition,
                ViewType.ACTIVE_ONLY,
                max_results=_RUNS,
                order_by=["attributes.start_time ASC"],
            )
        return Month(sorted(found, key=lambda run: str(run.info.run_id)))

    def add(self, name: str, month: Month, lineage: Lineage) -> None:
        """Write further associations of a month.

        Parameters
        ----------
        name
            The month, such as ``2026-11``.
        month
            What is stored of it; knows the new ones afterwards.
        lineage
            The new ones.

        Raises
        ------
        JobError
            When MLflow refuses.
        TrackingError
            When MLflow is gone.
        """
        keyed = ((month.numbered(value), value) for value in to_tags(lineage).values())
        tags = {key: value for key, value in keyed if key is not None}
        run_id = month.run_id = month.run_id or self._make_run(name)
        notes = {names.SYNCED_AT: iso_utc(self._now_ms)} if tags else {}
        for batch in batches({}, (), tags, notes):
            with tracking_errors("writing lineage"), self._tracking.gate:
                self._tracking.client.log_batch(run_id, tags=batch.tags)
        month.take(lineage)
        forget(self._tracking.uri)

    def _make_run(self, month: str) -> str:
        if self._experiment_id is None:
            self._experiment_id = self._experiments.find_or_create(LINEAGE_EXPERIMENT)
        tags = {
            _ACCOUNT: self._account,
            names.REGION: self._region,
            names.VERSION: __version__,
            ASSOCIATIONS: month,
        }
        first_ms = to_ms(datetime.strptime(month, "%Y-%m").replace(tzinfo=timezone.utc))
        client, title = self._tracking.client, f"{self._account} {self._region} {month}"
        with tracking_errors("making a run for lineage"), self._tracking.gate:
            run = client.create_run(
                self._experiment_id, start_time=first_ms, tags=tags, run_name=title
            )
            client.set_terminated(run.info.run_id, "FINISHED", first_ms)
        return str(run.info.run_id)

    def _note(self, what: str, value: str) -> None:
        if self._experiment_id is None:
            return
        with tracking_errors("writing how far lineage was read"), self._tracking.gate:
            self._tracking.client.set_experiment_tag(self._experiment_id, self._key(what), value)

    def _key(self, what: str) -> str:
        return f"{what}.{self._account}.{self._region}"


def _moment(tags: Mapping[str, str], key: str) -> int | None:
    """Read a moment; what a user has spoilt counts as none."""
    text = tags.get(key, "")
    return int(text) if _MILLISECONDS.fullmatch(text) else None


def _spellings(nodes: tuple[Node, ...]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for node in nodes:
        own = found.setdefault(node.id, {key_of(node.id)})
        own.update(key_of(alias) for alias in node.aliases)
    return found


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
