"""docs/service.md: its unit, files and commands fit the program."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mlflow_smwatch.cli import main
from tests.docs.documents import blocks, read

PAGE = read("docs/service.md")
BLOCKS = {block.mark: block.text for block in blocks(PAGE) if block.mark}


def unit() -> configparser.ConfigParser:
    """Read the unit."""
    parsed = configparser.ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(BLOCKS["unit"])
    return parsed


def options_of(words: list[str]) -> set[str]:
    """Parse a command line by the program's own rules, without running it."""
    command = main.get_command(click.Context(main), words[0])
    assert command is not None
    context = command.make_context(words[0], words[1:], resilient_parsing=True)
    return {name for name, value in context.params.items() if value}


def test_the_unit_starts_the_program() -> None:
    """With options that it has; a wrong option is not tried again and again."""
    service = unit()["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert Path(program).name == "smwatch"
    assert words[0] == "watch"
    assert "log_json" in options_of(words)
    wrong = CliRunner().invoke(main, ["watch", "--interval", "0"])
    assert wrong.exit_code == int(service["RestartPreventExitStatus"])
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Where there is a systemd to ask."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze")
    path = tmp_path / "smwatch.service"
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", BLOCKS["unit"], flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")
    done = subprocess.run([analyze, "verify", path], capture_output=True, text=True, check=False)
    assert "smwatch.service" not in done.stderr, done.stderr


def test_the_configuration_file(tmp_path: Path) -> None:
    """The program reads it, and finds in it what the page says."""
    path = tmp_path / "smwatch.toml"
    path.write_text(BLOCKS["configuration"], encoding="utf-8")
    command = main.get_command(click.Context(main), "watch")
    assert command is not None
    with click.Context(main, info_name="smwatch") as parent:
        context = command.make_context("watch", ["--config", str(path)], parent=parent)
    assert context.params["tracking_uri"] == "http://mlflow.example.internal:5000"
    assert context.params["region"] == ("eu-west-1",)
    assert context.params["interval_s"] == 60
    assert context.params["queue_url"].endswith("/smwatch")


def test_the_container() -> None:
    """Its installation and its commands exist."""
    dockerfile = BLOCKS["container"]
    extra = re.search(r"/src\[(\w+)\]", dockerfile)
    assert extra is not None
    assert f'    "{extra[1]}": [' in read("setup.py")
    command = re.search(r'^CMD \["(.*)"\]$', dockerfile, re.MULTILINE)
    assert command is not None
    assert "log_json" in options_of(command[1].split('", "'))
    _, words = BLOCKS["run"].split("\n  smwatch ")
    assert {"queue_url", "log_json"} <= options_of(shlex.split(words))
