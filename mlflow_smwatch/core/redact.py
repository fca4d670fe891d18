"""Secrets out of AWS answers: answers enter, the same answers with ``***`` leave.

Two kinds of secret are known: a value whose *name* says so (in an environment, among
hyperparameters, tags and container arguments), and a text that *looks* like a secret wherever it
stands. All patterns run in time linear in the length of the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

HIDDEN = "***"

_HINT = re.compile(r"secret|token|passw|pwd|credential|key", re.IGNORECASE)
_CAMEL_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")
_ACRONYM_WORD = re.compile(r"[A-Z]{2,}|[A-Z]?[a-z]+|[A-Z]")
_SECRET_ENDINGS = ("secret", "token", "password", "passwd", "pwd")
_SECRET_WORDS = frozenset((*_SECRET_ENDINGS, "credential", "credentials"))
_KEY_OWNERS = ("api", "access", "private", "secret", "signing")
_ONE_WORD_KEYS = frozenset(owner + "key" for owner in _KEY_OWNERS)

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_AFTER_LABEL = (
    re.compile(
        r"((?i:X-(?:Amz|Goog)-(?:Signature|Security-Token))(?:=|[\"']?: ?[\"']?))[\w%/+=.~-]+"
    ),
    re.compile(r"((?:[?&;]|\\u0026)(?i:Signature|sig)=)[A-Za-z0-9%][A-Za-z0-9%/+=_.~-]{5,}"),
    re.compile(r"((?<!\w)Signature=)[A-Za-z0-9%/+=_~-]{16,}"),
    re.compile(
        r"((?i:secret[_ -]?access[_ -]?key|(?:session|security)[_ -]?token)"
        r"[\"']?\s{0,8}[:=]\s{0,8}[\"']?)[A-Za-z0-9/+=]{16,}"
    ),
)
_SESSION_TOKEN = re.compile(r"(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[A-Za-z0-9/+=%_-]{20,}")
_ACCESS_KEY_ID = re.compile(r"(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])")
_LOCATION_OR_SECRET_KEY = re.compile(
    r"(?P<location>(?:\barn:aws|://)[^\s\"'<>,;|]*)"
    r"|(?<![A-Za-z0-9_/+.%~-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9_/+=%~-]|\.\w)"
)
_SECRET_KEY_SWITCHES = 12
"""Changes between capital, small letter and digit; a random key has 24 ± 3, a path far fewer."""

_OPTION = re.compile(
    r"(?<![^\s\"'(\[,=])--?(?P<name>[A-Za-z][\w.-]{0,127})(?P<joint>=|\s+|[\"'],\s*)"
)
_ASSIGNMENT = re.compile(r"(?<![\w.?&/:%@-])(?P<name>[A-Za-z_][\w.-]{0,127})(?P<joint>=)")
_OPTION_VALUE = re.compile(r"\"(?P<double>[^\"]+)|'(?P<single>[^']+)|(?P<plain>\S*[^\s\"',;\])])")
_NEXT_OPTION = re.compile(r"[\"']?--[A-Za-z]|-[A-Za-z](?!\S)")
_ARGUMENT = re.compile(r"-{0,2}(?P<name>[A-Za-z_][\w.-]{0,127})(?P<joint>=|\Z)")

_JSON_STRING = re.compile(r"\"(?:[^\"\\]+|\\.?)*(?:\"|\Z)", re.DOTALL)
_JSON_STRUCTURE = re.compile(r"[\"\[\]{}]")
_JSON_COLON = re.compile(r"\s*:\s*")
_JSON_SCALAR = re.compile(r"[^\s,\[\]{}\"]+")

_NAMED_VALUES = ("Environment", "EnvironmentVariables", "Parameters", "Properties")
_IDENTIFIERS = ("Arn", "Name")
_ARGUMENT_LISTS = frozenset({"ContainerArguments", "ContainerEntrypoint"})
_ENTRY_NAMES = ("Key", "Name")
_ENTRY_VALUES = frozenset({"Value", "Values", "ValueHint", "DefaultValue"})
_FREE_TEXTS = frozenset(
    {"ExitMessage", "FailureReason", "Message", "StatusDetails", "StatusMessage"}
)
_SHORTEST_ECHO = 6


def is_secret_name(name: str) -> bool:
    """Say whether a name announces a secret.

    Parameters
    ----------
    name
        Of a variable, a hyperparameter, a tag or an option.

    Returns
    -------
    bool
        True if one of its words (parted by camel case or by anything that is no letter) is
        secret, token, password, passwd, pwd or credential(s), or is key right after api, access,
        private, secret or signing. Of a word in capitals (PGPASSWORD) the end is enough.
    """
    return _HINT.search(name) is not None and any(
        _announces_secret(pattern.findall(name)) for pattern in (_CAMEL_WORD, _ACRONYM_WORD)
    )


def redact_text(text: str) -> str:
    """Replace what looks like a secret in a text.

    That is: AWS access key ids, secret access keys and session tokens, private key blocks, the
    signatures and tokens of signed URLs, and values of command-line options with a secret name.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        The text with ``***`` for each secret and everything else as it was.
    """
    return _redact_assigned(_redact_lookalikes(text), _OPTION)


def redact_answer(answer: Mapping[str, object]) -> dict[str, object]:
    """Replace the secrets in an answer of a SageMaker operation.

    Besides what `redact_text` finds: values with a secret name in environments, hyperparameters
    and other maps and lists of a user's own names (also in JSON that such a value holds), tags
    with a secret key, container arguments after a secret option, and what was hidden there where
    a failure reason or status message repeats it. ARNs and names, by which AWS finds things, stay;
    so does what a metric's regular expression has after an option's name, for it is a pattern.

    Parameters
    ----------
    answer
        What ``Describe*`` answered, or one result of ``Search``. It is not changed.

    Returns
    -------
    dict
        A copy: same members, lists for tuples, ``***`` for each secret; numbers, dates and all
        else that is no string are as they were.
    """
    redacted = _redact_structure(answer)
    secrets = sorted(
        set(_hidden_values(answer, redacted)), key=lambda secret: (-len(secret), secret)
    )
    return _redact_echoes(redacted, secrets) if secrets else redacted


def _redact_lookalikes(text: str) -> str:
    """Redact what looks like a secret by itself, whatever stands before it."""
    text = _PRIVATE_KEY.sub(HIDDEN, text)
    for pattern in _AFTER_LABEL:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    text = _SESSION_TOKEN.sub(HIDDEN, text)
    text = _ACCESS_KEY_ID.sub(HIDDEN, text)
    return _LOCATION_OR_SECRET_KEY.sub(_hide_secret_key, text)


def _announces_secret(written: Sequence[str]) -> bool:
    if any(word.isupper() and word.lower().endswith(_SECRET_ENDINGS) for word in written):
        return True
    words = [word.lower() for word in written]
    if any(word in _SECRET_WORDS or word in _ONE_WORD_KEYS for word in words):
        return True
    return any(last == "key" and first in _KEY_OWNERS for first, last in pairwise(words))


def _redact_structure(structure: Mapping[str, object]) -> dict[str, object]:
    """Redact a structure of the API, which may be a user's name beside its value."""
    names = (structure[key] for key in _ENTRY_NAMES if key in structure)
    name = next((name for name in names if isinstance(name, str)), "")
    treat = _hide if is_secret_name(name) else _redact_value
    return {
        key: treat(value) if name and key in _ENTRY_VALUES else _redact_member(key, value)
        for key, value in structure.items()
    }


def _redact_member(name: str, value: object) -> object:
    if isinstance(value, Mapping):
        is_named = name.endswith(_NAMED_VALUES)
        return _redact_named_values(value) if is_named else _redact_structure(value)
    if isinstance(value, (list, tuple)):
        if name in _ARGUMENT_LISTS:
            return _redact_arguments(value)
        return [_redact_member("", item) for item in value]
    if isinstance(value, str) and not name.endswith(_IDENTIFIERS):
        return _redact_lookalikes(value) if name == "Regex" else redact_text(value)
    return value


def _redact_named_values(values: Mapping[str, object]) -> dict[str, object]:
    """Redact a map of a user's names to values."""
    return {
        name: _hide(value) if is_secret_name(name) else _redact_value(value)
        for name, value in values.items()
    }


def _redact_value(value: object) -> object:
    """Redact a value that a user gave under a name that is not secret."""
    if isinstance(value, str):
        return redact_text(_redact_json(value))
    if isinstance(value, Mapping):
        return _redact_named_values(value)
    return [_redact_value(item) for item in value] if isinstance(value, (list, tuple)) else value


def _hide(value: object) -> object:
    if isinstance(value, str):
        return HIDDEN
    if isinstance(value, Mapping):
        return {name: _hide(member) for name, member in value.items()}
    return [_hide(item) for item in value] if isinstance(value, (list, tuple)) else value


def _redact_arguments(arguments: Sequence[object]) -> list[object]:
    """Redact a command line, one argument an item."""
    redacted: list[object] = []
    is_awaited = False
    for argument in arguments:
        text = argument if isinstance(argument, str) else ""
        if is_awaited and text and not _NEXT_OPTION.match(text):
            redacted.append(HIDDEN)
            is_awaited = False
            continue
        is_awaited = _is_secret_option(text)
        redacted.append(_redact_argument(text) if text else argument)
    return redacted


def _is_secret_option(argument: str) -> bool:
    """Say whether an argument is an option whose secret value is the next argument."""
    match = _ARGUMENT.match(argument) if argument.startswith("-") else None
    return match is not None and match["joint"] == "" and is_secret_name(match["name"])


def _redact_argument(argument: str) -> str:
    match = _ARGUMENT.match(argument)
    if match and match["joint"] and is_secret_name(match["name"]):
        return match.group() + HIDDEN
    return redact_text(_redact_assigned(_redact_json(argument), _ASSIGNMENT))


def _redact_assigned(text: str, pattern: re.Pattern[str]) -> str:
    """Redact the values behind the secret names that a pattern finds in a command line."""
    parts: list[str] = []
    kept = at = 0
    while option := pattern.search(text, at):
        at = option.end()
        if not is_secret_name(option["name"]):
            continue
        is_alone = option["joint"] != "=" and _NEXT_OPTION.match(text, at)
        value = None if is_alone else _OPTION_VALUE.match(text, at)
        if value and value.lastgroup:
            start, at = value.span(value.lastgroup)
            parts += (text[kept:start], HIDDEN)
            kept = at
    return "".join((*parts, text[kept:])) if parts else text


def _redact_json(text: str) -> str:
    """Redact the members with a secret name in a JSON text; any other text stays as it is."""
    start = text.lstrip()[:1]
    if start == '"':
        return _redact_json_string(text)
    return _redact_json_members(text) if start in {"{", "["} else text


def _redact_json_string(literal: str) -> str:
    """Redact JSON that stands, once more encoded, in a JSON string."""
    inner = _json_decoded(literal) if '\\"' in literal else ""
    redacted = _redact_json(inner) if inner != literal else inner
    return literal if redacted == inner else json.dumps(redacted, ensure_ascii=literal.isascii())


def _redact_json_members(text: str) -> str:
    parts: list[str] = []
    kept = at = 0
    while string := _JSON_STRING.search(text, at):
        start, at = string.span()
        replacement = string.group()
        if (colon := _JSON_COLON.match(text, at)) is None:
            replacement = _redact_json_string(replacement)
        elif is_secret_name(_json_decoded(replacement)):
            start, at = colon.end(), _json_end(text, colon.end())
            replacement = f'"{HIDDEN}"'
        parts += (text[kept:start], replacement)
        kept = at
    return "".join((*parts, text[kept:]))


def _json_decoded(literal: str) -> str:
    """Return the text of a JSON string; of what is none, the text as it stands."""
    try:
        decoded = json.loads(literal, strict=False)
    except ValueError:
        return literal
    return decoded if isinstance(decoded, str) else literal


def _json_end(text: str, start: int) -> int:
    """Return where the JSON value that begins at `start` ends, or the end of a broken text."""
    if scalar := _JSON_SCALAR.match(text, start):
        return scalar.end()
    depth, at = 0, start
    while token := _JSON_STRUCTURE.search(text, at):
        at = token.end()
        if token.group() == '"':
            string = _JSON_STRING.match(text, token.start())
            at = string.end() if string else at
        else:
            depth += 1 if token.group() in "[{" else -1
        if depth <= 0:
            return at if depth == 0 else token.start()
    return len(text)


def _hide_secret_key(match: re.Match[str]) -> str:
    """Hide 40 characters that look drawn at random from the alphabet of secret access keys."""
    text = match.group()
    if match["location"] is not None or text.isalnum() or max(map(len, text.split("/"))) < 12:
        return text
    kinds = [(char.isdigit(), char.isupper()) for char in text if char.isalnum()]
    switches = sum(first != last for first, last in pairwise(kinds))
    return HIDDEN if switches >= _SECRET_KEY_SWITCHES else text


def _hidden_values(before: object, after: object) -> Iterator[str]:
    """Yield the strings of an answer that its redaction replaced up to their end."""
    if isinstance(before, str) and isinstance(after, str):
        label = after.removesuffix(HIDDEN)
        hidden = before[len(label) :] if before.startswith(label) else ""
        if before != after and len(hidden) >= _SHORTEST_ECHO:
            yield hidden
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for name, value in before.items():
            yield from _hidden_values(value, after[name])
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
