"""How many jobs a window will give, as far as AWS has told it by now."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_smwatch.aws.components import COMPONENTS
from mlflow_smwatch.aws.discovery import JobFilter
from mlflow_smwatch.aws.kinds import WITH_COMPONENT
from mlflow_smwatch.aws.search import Searcher
from mlflow_smwatch.core.job_kinds import TRAINING_JOB


@dataclass
class Expected:
    """Counts the jobs that are still to come; may be asked while another thread finds them.

    Attributes
    ----------
    kinds
        Words of the kinds to find.
    to_come
        How many more the search in hand will give.
    in_all
        How many there are in the whole window, or at least are; 0 where that is not known.
    """

    kinds: frozenset[str]
    to_come: int = 0
    in_all: int = 0

    def jobs(self, found: int) -> int:
        """Tell how many jobs there are, as far as is known, of which some were found."""
        return max(found + self.to_come, self.in_all)

    def count(self, searcher: Searcher, wanted: JobFilter) -> None:
        """Ask how many there are in a whole window: two small calls."""
        if TRAINING_JOB.word in self.kinds:
            filters = wanted.search_filters("TrainingJobName")
            self.in_all = searcher.count("TrainingJob", filters)
        if self.counts_components(wanted):
            self.in_all = max(self.in_all, searcher.count(COMPONENTS, wanted.search_filters()))

    def counts_components(self, wanted: JobFilter) -> bool:
        """Whether each trial component stands for something that is wanted."""
        chosen = wanted.name_contains or wanted.tags
        return self.kinds >= WITH_COMPONENT and not chosen

    def end(self) -> None:
        """Note that all was found."""
        self.to_come = self.in_all = 0
