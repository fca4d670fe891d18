"""Nothing that was read is ever run: no pickle, no eval, no shell, in the package and its demo."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlflow_smwatch

PACKAGE = Path(mlflow_smwatch.__file__).parent
RECORDED = PACKAGE / "demo" / "workloads"
"""Scripts that stand for a customer's: what they write is never read here."""

STARTS_PROGRAMS = {"server/child.py", "demo/show.py", "demo/recorded_process.py"}
"""Modules that start programs: their own, as a list of words."""

UNSAFE_MODULES = {
    "_pickle",
    "cloudpickle",
    "dbm",
    "dill",
    "joblib",
    "marshal",
    "pickle",
    "pty",
    "shelve",
    "xml.dom",
    "xml.etree",
    "xml.parsers",
    "yaml",
}
UNSAFE_BUILTINS = {"__import__", "compile", "eval", "exec"}
UNSAFE_CALLS = {
    "asyncio.create_subprocess_exec",
    "asyncio.create_subprocess_shell",
    "os.popen",
    "os.system",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "tempfile.mktemp",
}
UNSAFE_PREFIXES = ("os.exec", "os.spawn", "os.posix_spawn")
UNSAFE_METHODS = {"extractall", "read_pickle", "to_pickle"}
UNSAFE_ARGUMENTS = {"shell", "allow_pickle", "verify"}
"""Keyword arguments that may only be left out."""


def findings(source: str) -> list[str]:
    """List what a module has that would run what it reads, or let somebody in between."""
    return list(_findings(ast.parse(source)))


def _findings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from _imported(*(each.name for each in node.names))
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from _imported(node.module or "")
            yield from (
                name for each in node.names if _is_unsafe(name := f"{node.module}.{each.name}")
            )
        elif isinstance(node, ast.Call):
            yield from _called(node)


def _imported(*names: str) -> Iterator[str]:
    unsafe = tuple(f"{name}." for name in UNSAFE_MODULES)
    yield from (name for name in names if f"{name}.".startswith(unsafe))


def _called(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    if name in UNSAFE_BUILTINS or _is_unsafe(name) or name.rpartition(".")[2] in UNSAFE_METHODS:
        yield name
    yield from (f"{name}({each.arg}=)" for each in call.keywords if each.arg in UNSAFE_ARGUMENTS)
    if name.endswith("import_module") and not isinstance(call.args[0], ast.Constant):
        yield f"{name} of what is not constant"


def _is_unsafe(name: str) -> bool:
    return name in UNSAFE_CALLS or name.startswith(UNSAFE_PREFIXES)


def modules() -> list[Path]:
    """Find all modules of the package."""
    return [each for each in PACKAGE.rglob("*.py") if RECORDED not in each.parents]


def test_no_module_runs_what_it_reads() -> None:
    """Neither objects nor code nor commands are made of data."""
    found = {
        str(path.relative_to(PACKAGE)): what
        for path in modules()
        if (what := findings(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_programs_are_started_in_three_places_only() -> None:
    """Each of them starts this Python with words of its own."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("subprocess.")
    }
    assert found == STARTS_PROGRAMS


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import xml.etree.ElementTree",
        "eval(text)",
        "exec(text)",
        "os.system(text)",
        "from os import system",
        "os.execvp(text, [])",
        "subprocess.run(text, shell=True)",
        "subprocess.run(text, shell=maybe)",
        "yaml.load(text)\nimport yaml",
        "archive.extractall()",
        "numpy.load(file, allow_pickle=True)",
        "boto3.client('s3', verify=False)",
        "importlib.import_module(text)",
    ],
)
def test_each_would_be_found(source: str) -> None:
    """The search finds what it is for."""
    assert findings(source)
