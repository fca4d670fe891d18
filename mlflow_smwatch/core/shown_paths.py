"""Paths of what a run's artifact tab shows of its job, below ``sagemaker/``: text in, parts out.

``sagemaker/job.json``, ``sagemaker/lineage.html``, ``sagemaker/logs/<stream>.log`` and
``<stream>.tail.txt``, ``sagemaker/model/…``, ``sagemaker/output/…``. Everything else below
``sagemaker/`` belongs to the run's own storage.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from mlflow_smwatch.core.errors import ObjectGoneError, UsageError
from mlflow_smwatch.core.visible import visible

FOLDER = "sagemaker"
DOCUMENT = "job.json"
LINEAGE_PAGE = "lineage.html"
LOGS = "logs"
MODEL = "model"
OUTPUT = "output"
FILES = (DOCUMENT, LINEAGE_PAGE)
"""What the run's own storage may hold, and what is made where it does not."""
TREES = (LOGS, MODEL, OUTPUT)
"""What is read through always, whatever the run's own storage holds under these names."""

WHOLE = ".log"
TAIL = ".tail.txt"

_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What parts a path, steers a terminal or turns the writing round, so that an end looks another."""
_RUN_ROOT = re.compile(r"(?:^|/)(?P<run_id>[0-9a-f]{32})/artifacts(?=/|$)")
_SHOWN_LENGTH = 200


@dataclass(frozen=True, slots=True)
class ShownPath:
    """A path at or below ``sagemaker``.

    Attributes
    ----------
    part
        One of :data:`FILES` or :data:`TREES`; empty for ``sagemaker`` itself.
    names
        What follows it.
    """

    part: str = ""
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write the path."""
        return "/".join((FOLDER, *((self.part,) if self.part else ()), *self.names))

    def below(self, *names: str) -> ShownPath:
        """Return the path of something in this folder."""
        if not self.part:
            return ShownPath(names[0], names[1:]) if names else self
        return ShownPath(self.part, (*self.names, *names))


@dataclass(frozen=True, slots=True)
class LogName:
    """The name of an entry in ``sagemaker/logs``.

    Attributes
    ----------
    stream
        Name of the log stream, without the job's.
    whole
        Whether it is the whole stream, not its end.
    """

    stream: str
    whole: bool

    @classmethod
    def parse(cls, names: tuple[str, ...]) -> LogName | None:
        """Read the names after ``sagemaker/logs``; None where they name no entry."""
        text = "/".join(names)
        for ending in (WHOLE, TAIL):
            stream = text.removesuffix(ending)
            if stream != text and stream and not stream.endswith("/"):
                return cls(stream, ending == WHOLE)
        return None

    def __str__(self) -> str:
        """Write the name."""
        return f"{self.stream}{WHOLE if self.whole else TAIL}"


@dataclass(frozen=True, slots=True)
class RunPath:
    """A path that leads into the artifacts of a run.

    Attributes
    ----------
    run_id
        The run that the path itself names.
    root
        The part up to and with ``<run id>/artifacts``.
    rest
        What follows the slash after it; empty for the root itself.
    """

    run_id: str
    root: str
    rest: str


def run_path(text: str) -> RunPath | None:
    """Find the run in a path; None where it leads into no run's artifacts.

    Parameters
    ----------
    text
        Path of a URI, or below a root that holds the artifacts of many runs.
    """
    found = _RUN_ROOT.search(text)
    if found is None:
        return None
    return RunPath(found["run_id"], text[: found.end()], text[found.end() :].removeprefix("/"))


def shown_path(path: str) -> ShownPath | None:
    """Read a path below a run's artifacts.

    Parameters
    ----------
    path
        Relative to the root of the run's artifacts; a slash at its end is ignored.

    Returns
    -------
    ShownPath or None
        None for what belongs to the run's own storage.

    Raises
    ------
    UsageError
        For a path at or below ``sagemaker`` with an empty or a dot segment, a backslash, a control
        character or a mark of writing direction, also where they are percent-encoded.
    """
    first, *names = path.removesuffix("/").split("/")
    if first != FOLDER:
        return None
    for name in names:
        if not is_segment(name):
            message = f"no artifact path: {visible(path)[:_SHOWN_LENGTH]}"
            raise UsageError(message)
    if not names:
        return ShownPath()
    part, *rest = names
    if part in TREES or (part in FILES and not rest):
        return ShownPath(part, tuple(rest))
    return None


def is_segment(name: str) -> bool:
    """Whether a name can stand between two slashes of a path, encoded or not."""
    decoded = _decoded(name)
    return decoded not in {"", ".", ".."} and _UNSAFE.search(decoded) is None


def are_segments(text: str) -> bool:
    """Whether all between the slashes of a text are names."""
    return all(is_segment(name) for name in text.split("/"))


def _decoded(name: str) -> str:
    while (decoded := unquote(name)) != name:
        name = decoded
    return name


def gone(path: ShownPath) -> ObjectGoneError:
    """Make the error for a path that leads to nothing."""
    return ObjectGoneError(f"there is no {path}")
