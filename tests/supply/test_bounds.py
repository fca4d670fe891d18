"""Ranges of dependencies are what their page says, and each has a lowest version."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.docs.documents import ROOT, read

_REQUIREMENT = re.compile(r"(?P<name>[\w-]+)(\[[\w,]+\])?(?P<range>[^;\s]*)")
_ROW = re.compile(r"^\| `(?P<name>[\w-]+)` \| (?P<range>[^|]*) \|", re.MULTILINE)


def _declared(variable: str) -> object:
    """Read a constant of ``setup.py`` without running it."""
    tree = ast.parse(Path(ROOT, "setup.py").read_text(encoding="utf-8"))
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == variable
    )
    return ast.literal_eval(value)


def _ranges(requirements: object) -> dict[str, str]:
    assert isinstance(requirements, list)
    found = [_REQUIREMENT.match(each) for each in requirements]
    return {each["name"]: each["range"] for each in found if each}


def test_the_page_has_each_hard_dependency_with_its_range() -> None:
    """None is missing, none is too many, and no range differs."""
    page = read("docs/dependencies.md")
    table = page[page.index("## Hard dependencies") : page.index("## Extras")]
    rows = {row["name"]: row["range"].partition(", Python")[0] for row in _ROW.finditer(table)}
    said = {name: text.replace("`", "") for name, text in rows.items()}
    assert said == _ranges(_declared("INSTALL_REQUIRES"))


def test_each_dependency_has_a_lowest_version() -> None:
    """What a user installs is bounded below, or there would be no end to be tested."""
    extras = _declared("EXTRAS_REQUIRE")
    assert isinstance(extras, dict)
    users = [each for name, some in extras.items() if name not in {"test", "docs"} for each in some]
    for name, bounds in {**_ranges(_declared("INSTALL_REQUIRES")), **_ranges(users)}.items():
        assert ">=" in bounds, name


def test_an_extra_and_the_tests_ask_for_the_same() -> None:
    """Where the tests need what an extra has, they have it in the same range."""
    extras = _declared("EXTRAS_REQUIRE")
    assert isinstance(extras, dict)
    tested = _ranges(extras["test"])
    for name in ("dask", "postgresql", "sagemaker"):
        for package, bounds in _ranges(extras[name]).items():
            assert tested.get(package, bounds) == bounds
