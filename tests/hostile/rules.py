"""What MLflow must hold of hostile texts: the rules written out once more, by hand.

On purpose they share no code with the package.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from html.parser import HTMLParser

from mlflow.entities import Run
from mlflow.utils import validation

KEY_LENGTH = 250
TAG_LENGTH = 8000
PARAM_LENGTH = 6000
mlflow_takes_metric: Callable[[str], None] = validation._validate_metric_name
mlflow_takes_param: Callable[[str], None] = validation._validate_param_name
mlflow_takes_tag: Callable[[str], None] = validation._validate_tag_name
VOID = frozenset({"meta", "input", "br"})


def key(original: str) -> str:
    """Say which key a name becomes where no other becomes the same."""
    text = "".join(each if re.match(r"[/\w.\- :]", each) else "_" for each in original)
    if text.startswith("/"):
        text = "_" + text[1:]
    while "//" in text:
        text = text.replace("//", "/_", 1)
    if text.endswith("/"):
        text = text[:-1] + "_"
    segments = ["_" * len(each) if each in {".", ".."} else each for each in text.split("/")]
    text = "/".join(segments)
    if text.startswith(".."):
        text = "__" + text[2:]
    if len(text) > KEY_LENGTH:
        digest = hashlib.sha256(original.encode("utf-8", "surrogatepass")).hexdigest()
        text = f"{text[:241]}_{digest[:8]}"
    return text or "_"


def keys(originals: Iterable[str]) -> dict[str, str]:
    """Say which keys names of one name space become: the first of equal ones keeps it."""
    given: dict[str, str] = {}
    waiting = []
    for name in sorted(set(originals)):
        if key(name) in given.values():
            waiting.append(name)
        else:
            given[name] = key(name)
    for name in waiting:
        number = 2
        while (numbered := f"{key(name)[: KEY_LENGTH - len(f'_{number}')]}_{number}") in set(
            given.values()
        ):
            number += 1
        given[name] = numbered
    return given


def value(text: str, length: int) -> str:
    """Say what becomes of a value."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text[:length])


def params(values: Mapping[str, str]) -> dict[str, str]:
    """Say which params hyperparameters become; none of them is a text in JSON's quotes."""
    named = keys(values)
    return {named[name]: value(text, PARAM_LENGTH) for name, text in values.items()}


def check_run(run: Run) -> None:
    """See that MLflow accepts every key of a run, and that every store holds every value."""
    for name in run.data.metrics:
        mlflow_takes_metric(name)
    for name, text in run.data.params.items():
        mlflow_takes_param(name)
        assert len(text) <= PARAM_LENGTH
        assert value(text, PARAM_LENGTH) == text
    for name, text in run.data.tags.items():
        mlflow_takes_tag(name)
        assert len(text) <= TAG_LENGTH
        assert value(text, TAG_LENGTH) == text


_LINK = re.compile(r"\[(.+)\]\((?:<https://[^<>\s\\]+>|https://[^()<>\s\\]+)\)")
_ACTIVE = re.compile(r"[`*_{}\[\]#|~!<>]|&(?!amp;|lt;|gt;)")


def check_note(note: str) -> None:
    """See that a note has nothing of Markdown or HTML in it but a bold name and the links."""
    summary, _, links = note.partition("\n\n")
    assert "\n" not in links
    for link in filter(None, links.split(" · ")):
        matched = _LINK.fullmatch(link)
        assert matched, link
        assert not _ACTIVE.search(_without_escapes(matched[1])), link
        assert re.search(r"\(<?https://[a-z0-9-]+\.console\.aws\.amazon\.com/", link)
    parts = _without_escapes(summary).split("**")
    assert len(parts) == len(("before", "name", "after")), summary
    assert not any(_ACTIVE.search(part) for part in parts), summary
    assert summary.isprintable()


def _without_escapes(text: str) -> str:
    return re.sub(r"\\[!-/:-@\[-`{-~]", "", text)


class LineagePage(HTMLParser):
    """Looks for what a page could load or run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.scripts = 0
        self.policy = ""
        self.feed(page)
        self.close()
        assert self.open == []
        assert self.scripts == 1
        assert self.policy.startswith("default-src 'none'; ")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: text or "" for name, text in attrs}
        self.scripts += tag == "script"
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"]
        assert tag not in {"img", "iframe", "link", "object", "embed", "base", "form"}
        assert not any(name.startswith("on") or name in {"src", "action"} for name in found)
        assert found.get("href", "#").startswith(("#", "http://127.0.0.1")), found

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
