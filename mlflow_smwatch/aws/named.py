"""Finds jobs of any kind by name or ARN, the cheapest way first.

``Search`` is eventually consistent, so what just changed is asked of ``Describe`` first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from mlflow_smwatch.aws.components import Components, answer_of, asked_of, itself
from mlflow_smwatch.aws.describing import JobDescriber
from mlflow_smwatch.aws.discovery import Answer, Found, NotFound, without_tags
from mlflow_smwatch.aws.kinds import WITH_COMPONENT
from mlflow_smwatch.aws.pipelines import Executions
from mlflow_smwatch.aws.questions import Question, questions_of
from mlflow_smwatch.aws.search import Filter, Record, Searcher, chunks, equals
from mlflow_smwatch.aws.trials import Trials
from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.errors import (
    NOT_THERE,
    AccessDeniedError,
    JobError,
    RetriableError,
    SmwatchError,
    UnknownJobError,
    UsageError,
)
from mlflow_smwatch.core.job_kinds import (
    KINDS,
    PIPELINE_EXECUTION,
    TRAINING_JOB,
    TRIAL,
    TRIAL_COMPONENT,
)

_AT_ONCE = 20
"""Texts that are looked up together: as many as a ``Search`` takes."""

_FAILURES = (AccessDeniedError, RetriableError, JobError)
_TRAINING_JOBS = "TrainingJob"
_Told = list[Answer] | SmwatchError
_Answers = dict[tuple[str, str], _Told]


@dataclass
class NamedFinder:
    """Finds jobs by name or ARN; made for one pass.

    Attributes
    ----------
    kinds
        Words of the kinds that a bare name may stand for.
    """

    kinds: frozenset[str]
    searcher: Searcher
    trials: Trials
    components: Components
    executions: Executions
    describer: JobDescriber

    def find(
        self, asked: Iterable[str], known_names: Mapping[str, str]
    ) -> Iterator[Found | NotFound]:
        """Find what texts stand for, in their order; each has at least one answer.

        Parameters
        ----------
        asked
            Names and ARNs.
        known_names
            ARN → name of the job.
        """
        for texts in chunks(dict.fromkeys(asked), _AT_ONCE):
            questions = {text: self._questions(text, known_names.get(text)) for text in texts}
            valid = [each for each in questions.values() if not isinstance(each, SmwatchError)]
            told = self._with_components(self._ask([one for each in valid for one in each]))
            for text, each in questions.items():
                if isinstance(each, SmwatchError):
                    yield NotFound(text, each)
                else:
                    yield from self._joined(text, each, told)

    def changed(self, names: Mapping[str, str]) -> Iterator[Found | NotFound]:
        """Find jobs as they are at this moment, described one by one.

        Where that is denied, or knows no such name, they are found as :meth:`find` does.

        Parameters
        ----------
        names
            ARN → name of the job.
        """
        for some in chunks(names.items(), _AT_ONCE):
            questions = {arn: self._questions(arn, name) for arn, name in some}
            valid = {
                arn: each[0]
                for arn, each in questions.items()
                if not isinstance(each, SmwatchError)
            }
            told = {(q.word, q.key): self._described(q.word, q.key) for q in valid.values()}
            told = self._with_components(self._with_searched_tags(told))
            for arn, name in some:
                each = questions[arn]
                if isinstance(each, SmwatchError):
                    yield NotFound(arn, each)
                    continue
                answer = told[each[0].word, each[0].key]
                if isinstance(answer, AccessDeniedError | UnknownJobError):
                    yield from self.find((arn,), {arn: name})
                else:
                    yield from self._joined(arn, each, told)

    def groups(self, refs: Iterable[tuple[str, str]]) -> Iterator[Found | NotFound]:
        """Find groups by kind, and name or ARN: trials 20 a call, others one by one.

        Parameters
        ----------
        refs
            Word of the kind, and name; the ARN for a pipeline's execution.
        """
        for word, some in groupby(sorted(set(refs)), key=lambda ref: ref[0]):
            for names in chunks((name for _, name in some), _AT_ONCE):
                asked = [Question(text=name, word=word, key=name) for name in names]
                told = self._ask(asked)
                for one in asked:
                    yield from self._joined(one.text, (one,), told)

    def members(self, trials: Iterable[str]) -> Iterator[Found | NotFound]:
        """Find the jobs and components in trials, 20 trials a search.

        Parameters
        ----------
        trials
            Their names.
        """
        for arn, record in self.components.in_trials(trials):
            told = (
                self._of_component(record) if record else self._described(TRIAL_COMPONENT.word, arn)
            )
            if isinstance(told, SmwatchError):
                yield NotFound(arn, told)
            else:
                yield from (each.found() for each in told if each.word in self.kinds)

    def _questions(self, text: str, known_name: str | None) -> tuple[Question, ...] | SmwatchError:
        try:
            return questions_of(text, self.kinds, self.searcher.aws.region, known_name)
        except (UsageError, JobError) as error:
            return error

    def _ask(self, questions: Iterable[Question]) -> _Answers:
        """Ask each question once, those of one kind together."""
        ways: dict[str, Callable[[Mapping[str, str]], Mapping[str, _Told]]] = {
            TRAINING_JOB.word: self._training_jobs,
            TRIAL.word: self._trials,
            TRIAL_COMPONENT.word: self._components,
            PIPELINE_EXECUTION.word: self._executions,
        }
        keys: dict[str, dict[str, str]] = {}
        for each in questions:
            keys.setdefault(each.word, {}).setdefault(each.key, each.text)
        answers: _Answers = {}
        for word, asked in keys.items():
            known = ways[word](asked) if word in ways else {}
            for key in asked:
                answers[word, key] = known[key] if key in known else self._described(word, key)
        return answers

    def _training_jobs(self, asked: Mapping[str, str]) -> Mapping[str, _Told]:
        """Search by name; then by ARN, for a name that is not spelled as in the ARN."""
        named = [equals("TrainingJobName", name) for name in asked]
        records = self._searched(named)
        found = {each["TrainingJobName"]: each for each in records}
        arns = {text.lower(): name for name, text in asked.items() if is_arn(text)}
        missing = [arn for arn, name in arns.items() if name not in found]
        for each in self._searched([equals("TrainingJobArn", asked[arns[arn]]) for arn in missing]):
            found[arns[each["TrainingJobArn"].lower()]] = each
        return {name: [Answer(word=TRAINING_JOB.word, content=one)] for name, one in found.items()}

    def _searched(self, filters: list[Filter]) -> list[Record]:
        if not filters:
            return []
        return self.searcher.matching(_TRAINING_JOBS, filters, "DescribeTrainingJob") or []

    def _trials(self, asked: Mapping[str, str]) -> Mapping[str, _Told]:
        records = self.trials.search(asked)
        return {key: [Answer(word=TRIAL.word, content=one)] for key, one in records.items()}

    def _components(self, asked: Mapping[str, str]) -> Mapping[str, _Told]:
        found: dict[str, _Told] = {}
        for record in self.components.search(asked):
            found.update(dict.fromkeys(asked_of(record), self._of_component(record)))
        keys = {key: key.lower() if is_arn(key) else key for key in asked}
        return {key: found[same] for key, same in keys.items() if same in found}

    def _of_component(self, record: Record) -> _Told:
        """Tell what a component's record of ``Search`` stands for."""
        answer = answer_of(record)
        if answer:
            if answer.word == TRIAL_COMPONENT.word:
                self.components.tell(record)
            return [answer]
        self.components.remember_searched((record,))
        try:
            return [self.describer.job_of(record) or itself(record)]
        except _FAILURES as error:
            return error

    def _executions(self, asked: Mapping[str, str]) -> Mapping[str, _Told]:
        told: dict[str, _Told] = {}
        for key, arns in self.executions.search(asked).items():
            each = [self._described(PIPELINE_EXECUTION.word, arn) for arn in arns]
            answers = [one for part in each if isinstance(part, list) for one in part]
            errors = [part for part in each if isinstance(part, SmwatchError)]
            told[key] = answers or errors[0]
        return told

    def _described(self, word: str, key: str) -> _Told:
        try:
            return [self.describer.answer(word, key)]
        except _FAILURES as error:
            return error

    def _with_components(self, told: _Answers) -> _Answers:
        """Put the trial components of jobs beside their descriptions, 20 a call."""
        lacking = [
            answer.arn
            for each in told.values()
            if isinstance(each, list)
            for answer in each
            if answer.word in WITH_COMPONENT and "TrialComponent" not in answer.content
        ]
        if not lacking:
            return told
        self.components.find(lacking)
        return {
            key: [self.components.join(answer) for answer in each]
            if isinstance(each, list)
            else each
            for key, each in told.items()
        }

    def _with_searched_tags(self, told: _Answers) -> _Answers:
        """Take the tags of training jobs from ``Search`` where they may not be listed."""
        lacking = [
            name
            for (word, name), each in told.items()
            if word == TRAINING_JOB.word and isinstance(each, list) and without_tags(each[0])
        ]
        records = self._searched([equals("TrainingJobName", name) for name in lacking])
        tags = {each["TrainingJobName"]: each.get("Tags") or [] for each in records}
        return {
            (word, name): [
                replace(each[0], content={**each[0].content, "Tags": tags[name]}, denied=())
            ]
            if word == TRAINING_JOB.word and name in tags and isinstance(each, list)
            else each
            for (word, name), each in told.items()
        }

    def _joined(
        self, text: str, questions: tuple[Question, ...], told: _Answers
    ) -> Iterator[Found | NotFound]:
        """Give all that a text stands for, or why it stands for nothing."""
        answers = [told[each.word, each.key] for each in questions]
        found = [one.found() for each in answers if isinstance(each, list) for one in each]
        errors = [each for each in answers if isinstance(each, SmwatchError)]
        failures = [each for each in errors if not isinstance(each, UnknownJobError)]
        if not found:
            yield NotFound(text, failures[0] if failures else self._unknown(questions))
            return
        for error in failures:
            self.searcher.warn(f"{error}; {text} may stand for another job as well")
        seen: set[str] = set()
        for each in found:
            key = each.arn.lower() if isinstance(each, Found) else each.asked
            if key not in seen:
                yield _checked(text, each)
            seen.add(key)

    def _unknown(self, questions: tuple[Question, ...]) -> UnknownJobError:
        first = questions[0]
        what = KINDS[first.word].noun if len(questions) == 1 else "job"
        return UnknownJobError(
            f"{NOT_THERE} {what} {first.name!r} in {self.searcher.aws.region}:"
            " check the name, --region and --profile"
        )


def _checked(asked: str, found: Found | NotFound) -> Found | NotFound:
    """Refuse the namesake of what was asked for in another account."""
    if isinstance(found, NotFound):
        return replace(found, asked=asked)
    if is_arn(asked) and not _is_same(Arn.parse(asked), Arn.parse(found.arn)):
        message = f"{asked} belongs to another account or partition: give --profile"
        return NotFound(asked, JobError(message))
    return found


def _is_same(asked: Arn, found: Arn) -> bool:
    """Whether an ARN is what was asked for, or the job of the component that was asked for."""
    if asked.resource_type == TRIAL_COMPONENT.resource_type != found.resource_type:
        return (asked.partition, asked.account) == (found.partition, found.account)
    return str(asked).lower() == str(found).lower()
