from __future__ import annotations

import re
from pathlib import Path

import mlflow_smwatch
from tests.docs.documents import names, read, rows

PACKAGE = Path(mlflow_smwatch.__file__).parent
PAGE = read("docs/architecture.md")


def test_every_module_has_its_room() -> None:
    """The table of rooms holds each folder and each module of the top level."""
    rooms = {name for row in rows(PAGE, "room", "holds", "may import") for name in names(row[0])}
    top = {path.name for path in PACKAGE.glob("*.py")} - {"_version.py"}
    folders = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == top | folders


def test_every_module_of_a_room_is_named() -> None:
    """In the picture or in the text; the demo's are its own matter."""
    words = set(re.findall(r"\w+", PAGE))
    for room in ("core", "aws", "tracking"):
        modules = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__"}
        assert modules <= words, room


def test_every_path_exists() -> None:
    """What looks like a path within the package is one."""
    for name in names(PAGE):
        if re.fullmatch(r"(?:core|aws|tracking|demo)/\w*(?:\.py)?", name):
            path = PACKAGE / name
            assert path.exists() or path.with_suffix(".py").exists(), name


def test_the_changelog_knows_the_version() -> None:
    """A release has an entry."""
    assert f"## [{mlflow_smwatch.__version__}]" in read("CHANGELOG.md")
