from __future__ import annotations

import inspect
from pathlib import Path

import click
import pytest

from mlflow_smwatch.cli import main
from tests.cli.program import PROGRAM, environment, run, run_command

COMMANDS = sorted(main.commands)
OPTIONS = [
    pytest.param(option, id=f"{name} {option.opts[-1]}")
    for name, command in sorted(main.commands.items())
    for option in command.params
    if isinstance(option, click.Option)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str, tmp_path: Path) -> None:
    """``-h`` and ``--help`` print the same, with an example of this command, on stdout."""
    long = run(command, "--help", cwd=tmp_path, env=environment(tmp_path))
    short = run(command, "-h", cwd=tmp_path, env=environment(tmp_path))
    assert (long.code, long.err) == (0, "")
    assert short == long
    examples = long.out.partition("Examples:\n")[2]
    assert f"  smwatch {command}" in examples


def test_help_names_every_command(tmp_path: Path) -> None:
    """The program's own help lists the commands, each with its first line."""
    shown = run("-h", cwd=tmp_path, env=environment(tmp_path))
    assert shown.code == 0
    assert "  smwatch sync" in shown.out.partition("Examples:\n")[2]
    for command in COMMANDS:
        assert f"\n  {command} " in shown.out.partition("Commands:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_quick(command: str, tmp_path: Path) -> None:
    """Help loads neither MLflow nor boto3 nor what they bring."""
    python, *program = PROGRAM
    shown = run_command(
        (python, "-X", "importtime", *program, command, "--help"),
        cwd=tmp_path,
        env=environment(tmp_path),
    )
    imported = {line.rpartition("|")[2].strip() for line in shown.err.splitlines()}
    assert "mlflow_smwatch.cli" in imported
    assert not imported & {"mlflow", "boto3", "botocore", "sqlalchemy", "pandas", "moto"}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_an_environment_variable(option: click.Option) -> None:
    """``--some-option`` is ``SMWATCH_SOME_OPTION``, and the help says so."""
    long = next(name for name in option.opts if name.startswith("--"))
    variable = "SMWATCH_" + long[2:].upper().replace("-", "_")
    assert option.envvar == variable
    assert option.show_envvar
    assert option.help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_parameter_is_used(command: str) -> None:
    """No option is declared that the command does not take."""
    callback = main.commands[command].callback
    assert callback is not None
    taken = inspect.signature(callback).parameters
    open_ended = any(each.kind is each.VAR_KEYWORD for each in taken.values())
    parameters = main.commands[command].params
    declared = {each.name for each in parameters if each.expose_value}
    assert open_ended or declared == set(taken)


def test_version(tmp_path: Path) -> None:
    """``--version`` prints the version of the package."""
    from mlflow_smwatch import __version__

    shown = run("--version", cwd=tmp_path, env=environment(tmp_path))
    assert (shown.code, shown.out) == (0, f"smwatch, version {__version__}\n")


def test_module_and_script_are_one_program(tmp_path: Path) -> None:
    """``smwatch`` and ``python -m mlflow_smwatch`` print the same help."""
    script = Path(PROGRAM[0]).with_name("smwatch")
    if not script.exists():
        pytest.skip("the package is not installed: there is no smwatch beside the interpreter")
    env = environment(tmp_path)
    by_name = run_command((str(script), "sync", "-h"), cwd=tmp_path, env=env)
    by_module = run("sync", "-h", cwd=tmp_path, env=env)
    assert by_name.code == by_module.code == 0
    assert by_name.out == by_module.out.replace("python -m mlflow_smwatch", "smwatch")
