"""Resources of one kind as the account holds them: Describe's answer, the tags, the parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from botocore.model import Shape
from botocore.validate import ParamValidator

from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.job_store import cut_times, to_wire
from mlflow_smwatch.demo.resource_kinds import EXECUTION, ResourceKind
from mlflow_smwatch.demo.validation import Answer, Json, service_model


@dataclass(slots=True)
class Resource:
    """One resource.

    Attributes
    ----------
    kind
        What it is.
    answer
        Describe's answer, dates as aware datetimes, with what only its summary or record have.
        Change it only through :meth:`update`.
    tags
        Resource tags.
    parts
        What a List operation of its own gives: candidates, steps; dates as aware datetimes.
    """

    kind: ResourceKind
    answer: Answer
    tags: dict[str, str] = field(default_factory=dict)
    parts: list[Answer] = field(default_factory=list)
    _whole: Answer | None = None
    _summary: Answer | None = None

    @property
    def arn(self) -> str:
        """ARN of the resource."""
        arn: str = self.answer[self.kind.arn_field]
        return arn

    @property
    def name(self) -> str:
        """Name of the resource; an execution's ARN."""
        name: str = self.answer[self.kind.name_field]
        return name

    @property
    def status(self) -> str:
        """Status of the resource; empty for what has none."""
        status: str = self.answer.get(self.kind.status_field, "")
        return status

    def update(self, **changes: Json) -> None:
        """Set fields of the answer; None takes one out.

        Raises
        ------
        ValueError
            Describe cannot give such an answer; nothing is changed.
        """
        changed = {**self.answer, **cut_times(changes)}
        answer = {key: value for key, value in changed.items() if value is not None}
        check_answer(self.kind, answer)
        self.answer = answer
        self._whole = self._summary = None

    def set_tags(self, tags: Mapping[str, str], *, removed: tuple[str, ...] = ()) -> None:
        """Add and remove tags."""
        self.tags = {k: v for k, v in {**self.tags, **tags}.items() if k not in removed}

    def tag_list(self) -> list[dict[str, str]]:
        """Give the tags as AWS lists them."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def whole(self) -> Answer:
        """Give all fields, times as seconds; not to be changed."""
        if self._whole is None:
            self._whole = to_wire(self.answer)
        return self._whole

    def described(self) -> Answer:
        """Give Describe's answer, times as seconds."""
        beside = self.kind.members_beside
        return {key: value for key, value in self.whole().items() if key not in beside}

    def summary(self) -> Answer:
        """Give the summary that List gives, times as seconds; not to be changed."""
        if self._summary is None:
            self._summary = self.kind.summary(self.whole())
        return self._summary

    def found(self) -> Answer:
        """Give Search's record, times as seconds."""
        members = self.kind.record_members
        record = {key: value for key, value in self.whole().items() if key in members}
        return record if self.kind.is_execution else {**record, "Tags": self.tag_list()}


class ResourceStore:
    """The resources of one kind in one account and Region, in order of creation.

    Parameters
    ----------
    kind
        What they are.
    root
        Beginning of the ARNs, up to and with the colon before the resource.
    """

    def __init__(self, kind: ResourceKind, root: str) -> None:
        self.kind = kind
        self._prefix = f"{root}{kind.resource_type}/"
        self._resources: dict[str, Resource] = {}

    def __iter__(self) -> Iterator[Resource]:
        """Iterate over the resources, as they were first put."""
        return iter(tuple(self._resources.values()))

    def arn(self, name: str) -> str:
        """Give the ARN for a name; an execution may go by the last part of its ARN."""
        if name.startswith("arn:"):
            return name
        if self.kind.is_execution:
            ends = (arn for arn in self._resources if arn.endswith(f"{EXECUTION}{name}"))
            return next(ends, name)
        return self._prefix + name

    def get(self, name: str) -> Resource | None:
        """Find a resource by name or ARN."""
        return self._resources.get(self.arn(name))

    def existing(self, name: str) -> Resource:
        """Find a resource that must exist, by name or ARN.

        Raises
        ------
        AwsError
            It does not.
        """
        resource = self.get(name)
        if resource is None:
            message = self.kind.missing_message.format(name=name, arn=self.arn(name))
            refuse(self.kind.missing, message)
        return resource

    def tagged(self, arn: str) -> Resource | None:
        """Find the resource of an ARN; None for an ARN of something else.

        Raises
        ------
        AwsError
            There is no such resource.
        """
        if not arn.startswith(self._prefix) or (EXECUTION in arn) != self.kind.is_execution:
            return None
        return self.existing(arn)

    def found(self) -> Iterable[Answer]:
        """Give Search's records of all resources."""
        return [resource.found() for resource in self]

    def put(
        self, answer: Answer, tags: Mapping[str, str], parts: Sequence[Answer] = ()
    ) -> Resource:
        """Store a resource; one of the same name is replaced.

        Parameters
        ----------
        answer
            Describe's answer, dates as aware datetimes, together with what only summary or
            record have; the ARN is added if missing.
        tags
            Resource tags.
        parts
            What a List operation of its own gives.

        Raises
        ------
        ValueError
            AWS cannot give such an answer.
        """
        whole = cut_times(answer)
        if not self.kind.is_execution:
            whole = {self.kind.arn_field: self.arn(answer.get(self.kind.name_field, "")), **whole}
        check_answer(self.kind, whole)
        resource = Resource(
            kind=self.kind, answer=whole, tags=dict(tags), parts=checked_parts(self.kind, parts)
        )
        self._resources[resource.arn] = resource
        return resource

    def remove(self, name: str) -> None:
        """Forget a resource that exists, by name or ARN."""
        del self._resources[self.existing(name).arn]


def check_answer(kind: ResourceKind, answer: Answer) -> None:
    """Check an answer against botocore's model.

    Raises
    ------
    ValueError
        A field is unknown or missing, or a value is not what the model says.
    """
    beside = kind.members_beside
    described = {key: value for key, value in answer.items() if key not in beside}
    reports = [_problems(described, shape) for shape in kind.describe_shapes]
    problems = min(reports, key=len)
    for key in beside.keys() & answer.keys():
        problems += _problems(answer[key], beside[key])
    problems += "" if answer.get(kind.name_field) else f"no {kind.name_field}"
    if problems:
        message = f"not an answer of Describe{kind.noun}: {problems}"
        raise ValueError(message)


def checked_parts(kind: ResourceKind, parts: Sequence[Answer]) -> list[Answer]:
    """Copy what a List operation of a resource is to give.

    Raises
    ------
    ValueError
        The kind has no such parts, or they are not as botocore's model says.
    """
    copied: list[Answer] = cut_times(parts)
    for part in copied:
        if kind.parts is None:
            message = f"a {kind.word} has no parts"
            raise ValueError(message)
        problems = _problems(part, service_model("sagemaker").shape_for(kind.parts))
        if problems:
            message = f"not a {kind.parts}: {problems}"
            raise ValueError(message)
    return copied


def _problems(value: Json, shape: Shape) -> str:
    report: str = ParamValidator().validate(value, shape).generate_report()
    return report
