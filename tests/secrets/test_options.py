"""``--redact`` on the command line, in its variable and in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_smwatch.cli.config import FILE
from tests.cli.test_config import parsed

COMMANDS = ("sync", "watch", "verify", "lineage")


@pytest.mark.parametrize("command", COMMANDS)
def test_one_pattern_a_line(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns may have spaces and commas in them."""
    monkeypatch.chdir(tmp_path)
    assert parsed(command).params["redact"] == ()
    (tmp_path / FILE).write_text("redact = ['a b, c', 'd']\n")
    assert parsed(command).params["redact"] == ("a b, c", "d")
    (tmp_path / FILE).write_text("redact = 'a b, c'\n")
    assert parsed(command).params["redact"] == ("a b, c",)
    monkeypatch.setenv("SMWATCH_REDACT", "x y, z\n\n \\d{2,3}\n")
    assert parsed(command).params["redact"] == ("x y, z", " \\d{2,3}")
    typed = ("--redact", "e f", "--redact", "g")
    assert parsed(command, *typed).params["redact"] == ("e f", "g")
