"""Finds jobs of all kinds by the cheapest way that is open.

``Search`` gives whole jobs, a hundred a call; ``List`` and ``Describe`` take more calls.

Where an operation is denied, or keeps failing, only what it alone tells is missing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from mlflow_smwatch.aws.components import Components
from mlflow_smwatch.aws.describing import JobDescriber
from mlflow_smwatch.aws.discovery import Found, JobFilter, NotFound, Page, with_tags
from mlflow_smwatch.aws.named import NamedFinder
from mlflow_smwatch.aws.pipelines import Executions
from mlflow_smwatch.aws.search import Searcher
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.aws.trials import ExperimentFacts, Trials, experiments
from mlflow_smwatch.aws.window import WindowFinder
from mlflow_smwatch.core.decay import WHOLE, CreatedSpan
from mlflow_smwatch.core.job_kinds import USUAL_KINDS

__all__ = ["ExperimentFacts", "JobFinder", "with_tags"]

_NONE_KNOWN: Mapping[str, str] = MappingProxyType({})


class JobFinder:
    """Finds the jobs of one account and Region; made for one pass.

    Parameters
    ----------
    aws
        The clients.
    kinds
        Words of the kinds to find.

    Attributes
    ----------
    describer
        Describes jobs, and knows what the finder met.
    """

    def __init__(self, aws: Aws, kinds: frozenset[str] = frozenset(USUAL_KINDS)) -> None:
        searcher = Searcher(aws)
        trials = Trials(searcher)
        components = Components(searcher, trials)
        executions = Executions(searcher)
        self.describer = JobDescriber(aws, components, executions)
        self._searcher = searcher
        self._window = WindowFinder(kinds, searcher, trials, components, executions, self.describer)
        self._named = NamedFinder(kinds, searcher, trials, components, executions, self.describer)

    @property
    def warnings(self) -> list[str]:
        """Why a dearer way was taken, or what is left out, in words; each once."""
        return self._searcher.warnings

    @property
    def is_whole(self) -> bool:
        """Whether :meth:`modified` has listed every kind that may be listed, as far as it went."""
        return self._window.is_whole

    @property
    def endless(self) -> Mapping[str, Found] | None:
        """All endpoints (notebook instances) that there are, by ARN; None until they are listed."""
        return self._window.endless

    def expected(self, found: int) -> int:
        """Tell how many jobs :meth:`modified` will find, of which some were found."""
        return self._window.expected.jobs(found)

    def modified(
        self, wanted: JobFilter, spans: Sequence[CreatedSpan] = (WHOLE,)
    ) -> Generator[Page]:
        """Find the jobs that pass a filter, page by page: groups first, endpoints last.

        A job may come twice. What a kind's listing does not carry has no ``job``. The pages may be
        taken by one thread while others find and describe jobs by name.

        Parameters
        ----------
        wanted
            The filter.
        spans
            Spans of CreationTime, in the order in which they are gone through; together, all times.

        Raises
        ------
        StopError
            When no kind could be listed.
        """
        return self._window.pages(wanted, spans)

    def named(
        self, asked: Sequence[str], known_names: Mapping[str, str] = _NONE_KNOWN
    ) -> Iterator[Found | NotFound]:
        """Find jobs by name or ARN; each asked text has an answer of its own, or several.

        Parameters
        ----------
        asked
            Names, which stand for jobs of all kinds, and ARNs.
        known_names
            ARN → name of the job: SageMaker may write a name in small letters into its ARN
            (boto/boto3 issue 4606), so that the name cannot be told from the ARN alone.
        """
        return self._named.find(asked, known_names)

    def changed(self, names: Mapping[str, str]) -> Iterator[Found | NotFound]:
        """Find jobs as they are at this moment; each is described.

        Where ``Describe`` is denied, or knows no such name, they are found as :meth:`named` does.

        Parameters
        ----------
        names
            ARN → name of the job.
        """
        return self._named.changed(names)

    def groups(self, refs: Iterable[tuple[str, str]]) -> Iterator[Found | NotFound]:
        """Find what jobs belong to, by kind, and name or ARN.

        Parameters
        ----------
        refs
            Word of the kind, and name; the ARN for a pipeline's execution.
        """
        return self._named.groups(refs)

    def members(self, trials: Iterable[str]) -> Iterator[Found | NotFound]:
        """Find the jobs and components in some trials, given by name, whenever modified."""
        return self._named.members(trials)

    def experiments(self, names: Iterable[str]) -> dict[str, ExperimentFacts]:
        """Find what SageMaker knows of experiments, by name; without those it does not tell."""
        return experiments(self._searcher, names)
