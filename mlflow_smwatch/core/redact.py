"""Secrets out of AWS answers: answers enter, the same answers with ``***`` leave.

Three kinds of secret are known: a value whose *name* says so (in an environment, among
hyperparameters, tags and container arguments), a text that *looks* like a secret wherever it
stands, and what matches the user's own patterns. All run in time linear in the length of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from mlflow_smwatch.core.own_patterns import own_patterns
from mlflow_smwatch.core.secret_json import hide_json
from mlflow_smwatch.core.secret_names import is_secret_name
from mlflow_smwatch.core.secret_options import hide_arguments, hide_assignments, hide_options
from mlflow_smwatch.core.secret_texts import HIDDEN, hide_lookalikes, is_harmless

_NAMED_VALUES = (
    "Aggregation",
    "Environment",
    "EnvironmentVariables",
    "Filling",
    "InputArtifacts",
    "OutputArtifacts",
    "Parameters",
    "Properties",
)
_ARGUMENT_LISTS = frozenset({"ContainerArguments", "ContainerEntrypoint"})
_KEPT_ENDINGS = ("Arn", "ARN", "Name", "Status")
_KEPT = frozenset(
    {
        "AssociationType",
        "ContainerHostname",
        "InstanceType",
        "MlflowExperimentId",
        "MlflowRunId",
        "SelectedInstanceType",
    }
)
"""Members by which things are found, and the words of AWS that the mirror goes by."""

_IDENTIFIER_LISTS = ("Arns", "Names")
_NAMES_OF_TEXTS = frozenset({"ArtifactName", "ContextName", "SourceName", "DestinationName"})
"""Names in lineage: what they name is found by its ARN, and they are often a URI."""

_SECRET_MEMBERS = frozenset({"CallbackToken"})
_ENTRY_NAMES = ("Key", "Name")
_ENTRY_VALUES = frozenset({"Value", "Values", "ValueHint", "DefaultValue", "MinValue", "MaxValue"})
_FREE_TEXTS = frozenset(
    {
        "ErrorMessage",
        "ExitMessage",
        "FailureReason",
        "Message",
        "PartialFailureMessage",
        "PipelineExecutionFailureReason",
        "StatusDetails",
        "StatusMessage",
    }
)
_TEXT_FOR = {"NumberValue": "StringValue"}

_SHORTEST_ECHO = 6
_ROUNDS = 8
"""A match that was hidden may make another one of what stands around it, hardly ever twice."""


class _Treatment(Enum):
    """What becomes of a text that is a member of a structure."""

    KEPT = "kept"
    HIDDEN = "hidden"
    REGEX = "regex"
    SOURCE = "source"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is a secret, and its replacement by ``***``.

    Attributes
    ----------
    patterns
        Regular expressions of what is a secret too, in RE2's syntax.

    Raises
    ------
    UsageError
        When RE2 does not take a pattern, or it matches the empty text.
    """

    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Compile the patterns."""
        own_patterns(self.patterns)

    def text(self, text: str) -> str:
        """Replace what looks like a secret in a text.

        That is: AWS access key ids, secret access keys and session tokens, private key blocks, the
        signatures and tokens of signed URLs, the password in a URL, values of command-line options
        and of members of JSON with a secret name, and what matches the user's patterns.

        Parameters
        ----------
        text
            Any text.

        Returns
        -------
        str
            The text with ``***`` for each secret and everything else as it was.
        """
        hidden = text if is_harmless(text) else _hide_secrets(text)
        return self._without_matches(hidden, _hide_secrets) if self.patterns else hidden

    def own(self, text: str) -> str:
        """Replace in a text of the mirror's own no more than what matches the user's patterns.

        Parameters
        ----------
        text
            Such as a warning, which may quote the pattern of a metric.
        """
        return self._without_matches(text, str) if self.patterns else text

    def answer(self, answer: Mapping[str, object]) -> dict[str, object]:
        """Replace the secrets in an answer of a SageMaker operation.

        Besides what :meth:`text` finds: values with a secret name in environments, hyperparameters
        and other maps and lists of a user's own names (also in JSON that such a value holds), tags
        with a secret key, container arguments after a secret option, and what was hidden there
        where a failure reason or status message repeats it. ARNs and names, by which AWS finds
        things, stay; so do statuses and instance types, and a metric's regular expression, in
        which only what looks like a secret is replaced: what follows an option's name there is a
        pattern.

        Parameters
        ----------
        answer
            What ``Describe*`` answered, or one result of ``Search``. It is not changed.

        Returns
        -------
        dict
            A copy: same members, lists for tuples, ``***`` for each secret; numbers (but for those
            with a secret name), dates and all else that is no string are as they were.
        """
        redacted = self._structure(answer)
        if redacted == answer:
            return redacted
        secrets = sorted(
            set(_hidden_values(answer, redacted)), key=lambda secret: (-len(secret), secret)
        )
        return _redact_echoes(redacted, secrets) if secrets else redacted

    def _without_matches(self, text: str, hide: Callable[[str], str]) -> str:
        own = own_patterns(self.patterns)
        for _ in range(_ROUNDS):
            after = own.hide(text)
            if after == text:
                return text
            text = hide(after)
        return HIDDEN

    def _structure(self, structure: Mapping[str, object]) -> dict[str, object]:
        """Redact a structure of the API, which may be a user's name beside its value."""
        name = structure.get("Key")
        name = name if isinstance(name, str) else structure.get("Name")
        if isinstance(name, str) and name and not _ENTRY_VALUES.isdisjoint(structure):
            return self._entry(name, structure)
        return {key: self._member(key, value) for key, value in structure.items()}

    def _entry(self, name: str, entry: Mapping[str, object]) -> dict[str, object]:
        treat = _hide if is_secret_name(name) else self._value
        redacted: dict[str, object] = {}
        for key, value in entry.items():
            if key in _ENTRY_VALUES:
                redacted[key] = treat(value)
            elif key in _ENTRY_NAMES and isinstance(value, str):
                redacted[key] = _shown_name(self, value)
            else:
                redacted[key] = self._member(key, value)
        return redacted

    def _member(self, name: str, value: object) -> object:
        if isinstance(value, str):
            return self._string(name, value)
        if isinstance(value, Mapping):
            return self._mapping(name, value)
        if not isinstance(value, (list, tuple)):
            return value
        if name in _ARGUMENT_LISTS:
            return hide_arguments(value, self._argument)
        if name.endswith(_IDENTIFIER_LISTS):
            return list(value)
        return [self._member("", item) for item in value]

    def _mapping(self, name: str, value: Mapping[str, object]) -> dict[str, object]:
        if name.endswith(_NAMED_VALUES):
            return self._named_values(value)
        return dict(value) if name.endswith(_IDENTIFIER_LISTS) else self._structure(value)

    def _string(self, name: str, value: str) -> str:
        treatment = _treatment(name)
        if treatment is _Treatment.KEPT:
            return value
        if treatment is _Treatment.HIDDEN:
            return HIDDEN
        if treatment is _Treatment.REGEX:
            return hide_lookalikes(value)
        is_arn = treatment is _Treatment.SOURCE and value.startswith("arn:")
        return value if is_arn else self.text(value)

    def _named_values(self, values: Mapping[str, object]) -> dict[str, object]:
        """Redact a map of a user's names to values."""
        redacted: dict[str, object] = {}
        for name, value in values.items():
            is_hidden = is_secret_name(name) and not _is_place(value)
            shown = _unused(_shown_name(self, name), redacted)
            redacted[shown] = _hide(value) if is_hidden else self._value(value)
        return redacted

    def _value(self, value: object) -> object:
        """Redact a value that a user gave under a name that is not secret."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return self._named_values(value)
        if isinstance(value, (list, tuple)):
            return [self._value(item) for item in value]
        return value

    def _argument(self, argument: str) -> str:
        return self.text(hide_assignments(hide_json(argument)))


@lru_cache(maxsize=1024)
def _treatment(member: str) -> _Treatment:
    if member in _SECRET_MEMBERS:
        return _Treatment.HIDDEN
    if member == "SourceUri":
        return _Treatment.SOURCE
    if member == "Regex":
        return _Treatment.REGEX
    is_kept = member.endswith(_KEPT_ENDINGS) or member in _KEPT
    return _Treatment.KEPT if is_kept and member not in _NAMES_OF_TEXTS else _Treatment.TEXT


@lru_cache(maxsize=8192)
def _shown_name(redaction: Redaction, name: str) -> str:
    """Redact a user's name, as if it were a text; the same names come with many jobs."""
    return redaction.text(name)


def _unused(name: str, taken: Mapping[str, object]) -> str:
    """Tell names apart that became the same."""
    number, unused = len(taken), name
    while unused in taken:
        number += 1
        unused = f"{name}_{number}"
    return unused


def _hide_secrets(text: str) -> str:
    return hide_options(hide_lookalikes(hide_json(text)))


def _is_place(value: object) -> bool:
    """Whether a value is an artifact in S3: that is told by a place, which is no secret."""
    return isinstance(value, Mapping) and str(value.get("Value")).startswith("s3://")


def _hide(value: object) -> object:
    """Hide a value with a secret name; a number becomes a text, also by what AWS calls it."""
    if isinstance(value, (str, int, float)):
        return HIDDEN
    if isinstance(value, Mapping):
        return {_TEXT_FOR.get(name, name): _hide(member) for name, member in value.items()}
    return [_hide(item) for item in value] if isinstance(value, (list, tuple)) else value


def _hidden_values(before: object, after: object) -> Iterator[str]:
    """Yield the strings of an answer that its redaction replaced up to their end."""
    if isinstance(before, str) and isinstance(after, str):
        label = after.removesuffix(HIDDEN)
        hidden = before[len(label) :] if before.startswith(label) else ""
        if before != after and len(hidden) >= _SHORTEST_ECHO:
            yield hidden
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for value, redacted in zip(before.values(), after.values(), strict=True):
            yield from _hidden_values(value, redacted)
    elif isinstance(before, (list, tuple)) and isinstance(after, list):
        for value, redacted in zip(before, after, strict=True):
            yield from _hidden_values(value, redacted)


def _redact_echoes(structure: Mapping[str, object], secrets: Sequence[str]) -> dict[str, object]:
    """Hide known secrets in the free texts of an answer."""
    return {name: _redact_echo(name, value, secrets) for name, value in structure.items()}


def _redact_echo(name: str, value: object, secrets: Sequence[str]) -> object:
    if isinstance(value, Mapping):
        return _redact_echoes(value, secrets)
    if isinstance(value, list):
        return [_redact_echo(name, item, secrets) for item in value]
    if isinstance(value, str) and name in _FREE_TEXTS:
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
    return value
