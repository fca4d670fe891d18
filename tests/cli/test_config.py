"""The configuration file: what it may hold, what wins over it, what it is refused for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.core import ParameterSource

from mlflow_smwatch.cli import main
from mlflow_smwatch.cli.config import FILE, options_of
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job_kinds import USUAL_KINDS
from tests.cli.conftest import Smwatch
from tests.cli.shapes import FORECAST, misfits
from tests.cli.test_refusals import refused
from tests.docs.documents import blocks, read

EVERY_OPTION = [
    pytest.param(command, name, id=f"{command} {name}")
    for command in sorted(main.commands)
    for name in options_of(main.commands[command])
]
SAMPLES: Mapping[str, tuple[str, Any]] = {
    "tag": ('{team = "vision", "a=b" = "c"}', (("team", "vision"), ("a=b", "c"))),
    "dimension": ('{Team = "vision"}', (("Team", "vision"),)),
    "latency-percentiles": ('["p50", "p99.9"]', ("p50", "p99.9")),
    "kinds": ('["training-job", "endpoint"]', ("training-job", "endpoint")),
    "since": ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00+00:00"),
    "until": ("2026-01-31", "2026-01-31"),
    "interval": ("0.5", 0.5),
    "dir": ('"deep/demo"', Path("deep/demo")),
    "output": ('"page.html"', Path("page.html")),
    "status-file": ('"status.json"', Path("status.json")),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parsed(command: str, *arguments: str) -> click.Context:
    """Let click read a command line, and start nothing; what must be named is named."""
    program, params = click.Context(main, info_name="smwatch"), main.commands[command].params
    named = ["job" for each in params if isinstance(each, click.Argument) and each.required]
    return main.commands[command].make_context(command, [*arguments, *named], parent=program)


def sample(name: str, option: click.Option) -> tuple[str, Any]:
    """Give a value of the file that is not the option's default, and what becomes of it."""
    if name in SAMPLES:
        return SAMPLES[name]
    if option.is_flag:
        return "true", True
    if isinstance(option.type, click.Choice):
        word = str(option.type.choices[-1 if option.default != option.type.choices[-1] else 0])
        return json.dumps(word), word
    if isinstance(option.type, click.types.IntParamType):
        return "7", 7
    if isinstance(option.type, click.types.FloatParamType):
        return "2.5", 2.5
    return '"some text"', ("some text",) if option.multiple else "some text"


@pytest.mark.parametrize(("command", "name"), EVERY_OPTION)
@pytest.mark.parametrize("place", ["top", "table", "underscores"])
def test_every_option_may_stand_in_the_file(
    folder: Path, command: str, name: str, place: str
) -> None:
    """At the top, in the command's table, and with underscores as Python writes the name."""
    option = options_of(main.commands[command])[name]
    text, value = sample(name, option)
    key = name.replace("-", "_") if place == "underscores" else name
    table = f"[{command}]\n" if place == "table" else ""
    (folder / FILE).write_text(f"{table}{key} = {text}\n")
    context = parsed(command)
    assert option.name is not None
    assert context.params[option.name] == value
    assert context.get_parameter_source(option.name) is ParameterSource.DEFAULT_MAP


@pytest.mark.parametrize("command", sorted(main.commands))
def test_only_config_and_help_cannot(command: str) -> None:
    """No option is left out of the file but the one that names it."""
    declared = {
        each.opts[-1][2:] for each in main.commands[command].params if each.opts[-1][0] == "-"
    }
    assert declared - set(options_of(main.commands[command])) == {"config"}


PRECEDENCE = [
    pytest.param("since", ["1d", "2d", "3d", "4d"], "7d", id="text"),
    pytest.param("profile", ["one", "two", "three", "four"], None, id="text without default"),
    pytest.param("workers", [1, 2, 3, 4], 8, id="whole number"),
    pytest.param("interval", [1.5, 2.5, 3.5, 4.5], 60.0, id="number"),
    pytest.param("metrics", ["off", "cloudwatch", "off", "cloudwatch"], "auto", id="choice"),
    pytest.param("kinds", ["a,b", "c", "d", "e"], USUAL_KINDS, id="comma list"),
    pytest.param("region", ["a,b", "c", "d", "e"], (), id="repeatable comma list"),
    pytest.param("tag", ["a=1", "b=2", "c=3", "d=4"], (), id="repeatable"),
]


def _expected(name: str, value: Any) -> Any:
    if name in {"kinds", "region"}:
        return tuple(value.split(","))
    return (tuple(value.split("=")),) if name == "tag" else value


@pytest.mark.parametrize(("name", "values", "default"), PRECEDENCE)
def test_precedence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, values: list[Any], default: Any
) -> None:
    """Option before variable before the command's table before the top before the default."""
    typed, variable, in_table, at_top = values
    field = str(options_of(main.commands["watch"])[name].name)
    assert parsed("watch").params[field] == default
    (folder / FILE).write_text(f"{name} = {json.dumps(at_top)}\n")
    assert parsed("watch").params[field] == _expected(name, at_top)
    (folder / FILE).write_text(
        f"{name} = {json.dumps(at_top)}\n[watch]\n{name} = {json.dumps(in_table)}\n"
    )
    assert parsed("watch").params[field] == _expected(name, in_table)
    monkeypatch.setenv(f"SMWATCH_{name.upper()}", str(variable))
    assert parsed("watch").params[field] == _expected(name, variable)
    assert parsed("watch", f"--{name}", str(typed)).params[field] == _expected(name, typed)


@pytest.mark.parametrize(
    ("in_file", "variable", "typed", "expected"),
    [
        (None, None, (), False),
        ("true", None, (), True),
        ("true", "false", (), False),
        ("false", "true", (), True),
        ("false", "false", ("--dry-run",), True),
    ],
)
def test_precedence_of_a_flag(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_file: str | None,
    variable: str | None,
    typed: tuple[str, ...],
    *,
    expected: bool,
) -> None:
    """A flag that the file sets is unset by its variable."""
    if in_file:
        (folder / FILE).write_text(f"dry-run = {in_file}\n")
    if variable:
        monkeypatch.setenv("SMWATCH_DRY_RUN", variable)
    assert parsed("sync", *typed).params["dry_run"] is expected


def test_which_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--config`` before ``SMWATCH_CONFIG`` before the working directory's; no two are joined."""
    (folder / FILE).write_text('region = "here"\nprofile = "here"\n')
    (folder / "named.toml").write_text('region = "named"\n')
    (folder / "other.toml").write_text('region = "other"\n')
    assert parsed("sync").params["region"] == ("here",)
    monkeypatch.setenv("SMWATCH_CONFIG", "named.toml")
    assert parsed("sync").params["region"] == ("named",)
    assert parsed("sync").params["profile"] is None
    # The file is read before all other options, wherever it is named.
    arguments = ("--workers", "3", "--config", "other.toml")
    assert parsed("sync", *arguments).params["region"] == ("other",)
    assert parsed("sync", "--config", "/dev/null").params["region"] == ()


def test_the_table_of_another_command(folder: Path) -> None:
    """What stands there is for that command alone."""
    (folder / FILE).write_text('[sync]\nregion = "there"\n')
    assert parsed("watch").params["region"] == ()
    assert parsed("sync").params["region"] == ("there",)


def test_what_another_command_has(folder: Path) -> None:
    """A key at the top that the command does not have is for the others."""
    (folder / FILE).write_text('interval = 5\nregion = "here"\ndir = "x"\n[watch]\nqueue = "y"\n')
    assert parsed("status").params["tracking_uri"] is None
    assert parsed("sync").params["region"] == ("here",)
    assert parsed("demo").params["folder"] == Path("x")


def test_a_byte_order_mark(folder: Path) -> None:
    """Editors on Windows put one before the text."""
    (folder / FILE).write_bytes('\ufeffregion = "here"\r\n'.encode())
    assert parsed("sync").params["region"] == ("here",)


SYNC_OPTIONS = ", ".join(sorted(options_of(main.commands["sync"])))
WRONG = [
    pytest.param(
        "regoin = 1",
        "regoin: unknown; choose from account, account-only, alarms, all-metrics, ",
        id="key",
    ),
    pytest.param("config = 'x'", "config: unknown; choose from ", id="the file itself"),
    pytest.param("names = ['x']", "names: unknown; choose from ", id="argument"),
    pytest.param(
        "[sink]\nregion = 'x'",
        "[sink]: unknown; choose from [dashboard], [demo], [doctor], [forget], ",
        id="table",
    ),
    pytest.param(
        "[[sink]]\nregion = 'x'", "[watch], [[source]], [[rule]], [notify]", id="unknown tables"
    ),
    pytest.param(
        "[sync]\ninterval = 1",
        f"[sync]: interval: unknown; choose from {SYNC_OPTIONS}",
        id="key of another command",
    ),
    pytest.param("[[sync]]\nregion = 'x'", "sync: give a table of options, [sync]", id="tables"),
    pytest.param("sync = true", "sync: give a table of options, [sync]", id="no table"),
    pytest.param("dry_run = 1\n", "dry_run: give true or false", id="number for a flag"),
    pytest.param("dry-run = 'yes'", "dry-run: give true or false", id="text for a flag"),
    pytest.param("workers = '8'", "workers: give a whole number", id="text for a number"),
    pytest.param("workers = 8.5", "workers: give a whole number", id="fraction"),
    pytest.param("workers = true", "workers: give a whole number", id="flag for a number"),
    pytest.param("interval = '60'", "interval: give a number", id="text for seconds"),
    pytest.param("region = 5", "region: give a text", id="number for a text"),
    pytest.param("profile = ['x']", "profile: give a text", id="list for a text"),
    pytest.param("experiment = 2026-01-31", "experiment: give a text", id="date for a text"),
    pytest.param("since = 7", "since: give a text or a TOML time", id="number for a time"),
    pytest.param("since = 12:00:00", "since: give a text or a TOML time", id="time of day"),
    pytest.param("kinds = [1]", "kinds: give a text or a list of texts", id="list of numbers"),
    pytest.param("tag = [['a', 'b']]", "tag: give a list such as", id="list of lists"),
    pytest.param("tag = {a = 1}", "tag: give a list such as", id="table of numbers"),
    pytest.param("tag = 'team'", "tag: --tag 'team': give KEY=VALUE", id="tag without value"),
    pytest.param(
        "metrics = 'some'", "metrics: 'some' is not one of 'auto', ", id="not one of the choices"
    ),
    pytest.param(
        "ui-url = 'x'\nui_url = 'y'", "ui_url: given twice; give ui-url or ui_url", id="twice"
    ),
    pytest.param("region = 'x'\nregion =\n", "(at line 2, column 9)", id="no value"),
    pytest.param("region = 'x'\nregion = 'y'\n", "Cannot overwrite a value (at ", id="again"),
    pytest.param(b"a = 1\nb = '\xff'", "not UTF-8 (at line 2)", id="bytes"),
    pytest.param("workers = " + "9" * 5000, "Exceeds the limit", id="endless number"),
    pytest.param("tag = " + "[" * 5000, f"{FILE}: ", id="endless nesting"),
]


@pytest.mark.parametrize(("content", "said"), WRONG)
def test_what_is_refused(folder: Path, content: str | bytes, said: str) -> None:
    """Unknown keys and tables, wrong types and bad TOML: the file, the key and what is allowed."""
    path = folder / FILE
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as refusal:
        parsed("sync")
    message = str(refusal.value)
    assert message.startswith(f"{FILE}: ")
    assert said in message
    assert "\n" not in message


def test_a_mistake_for_another_command(folder: Path) -> None:
    """The whole file is checked, whichever command reads it."""
    (folder / FILE).write_text("[watch]\nintervall = 1\n")
    with pytest.raises(UsageError, match=r"^smwatch\.toml: \[watch\]: intervall: unknown"):
        parsed("status")


def test_help_needs_no_file(smwatch: Smwatch, tmp_path: Path) -> None:
    """A file that is refused keeps nobody from reading the help."""
    (tmp_path / FILE).write_text("nonsense")
    assert smwatch("sync", "--help").code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("workers = 0", "smwatch.toml: --workers 0: give a number from 1 to 64"),
        ("[sync]\nsince = 'soon'", "smwatch.toml: --since 'soon': give an ISO time such as"),
        ("nonsense", "smwatch.toml: Expected '=' after a key"),
    ],
)
def test_wrong_value(smwatch: Smwatch, tmp_path: Path, text: str, said: str) -> None:
    """What the command refuses is said to be the file's; exit 2, nothing on stdout."""
    (tmp_path / FILE).write_text(text)
    done = smwatch("sync", "--json")
    assert refused(done, 2).startswith(said)
    assert done.out == ""


def test_a_file_that_is_not_there(smwatch: Smwatch) -> None:
    """A file that is named must be there, as option or as variable."""
    for done in (smwatch("sync", "--config", "x.toml"), smwatch("sync", SMWATCH_CONFIG="x.toml")):
        assert "'x.toml' does not exist" in refused(done, 2)


@pytest.mark.slow
def test_sync_by_file_alone(smwatch: Smwatch, database: Path, tmp_path: Path) -> None:
    """Relative paths mean what they mean on the command line."""
    (tmp_path / FILE).write_text(
        f'tracking-uri = "sqlite:///{database.name}"\nname-contains = "alp"\njson = true\n'
        '[sync]\ndry-run = true\ntag = ["team=vision"]\n'
    )
    done = smwatch("sync")
    assert done.code == 0
    assert done.err.splitlines() == [
        f"options from {FILE}",
        f"MLflow tracking URI: sqlite:///{database}",
    ]
    assert misfits(done.document, FORECAST) == []
    assert [run["name"] for run in done.document["runs"]] == ["alpha"]
    shown = smwatch("status")
    assert shown.document["tracking_uri"] == f"sqlite:///{database}"


@pytest.mark.slow
def test_a_file_that_gives_nothing_is_not_named(
    smwatch: Smwatch, database: Path, tmp_path: Path
) -> None:
    """Nor is one that is not read, nor the store that the command line names."""
    (tmp_path / FILE).write_text("[watch]\ninterval = 5\n")
    uri = f"sqlite:///{database}"
    assert smwatch("status", "--tracking-uri", uri).err == ""
    (tmp_path / FILE).write_text('tracking-uri = "http://127.0.0.1:9"\n')
    assert smwatch("status", "--config", "/dev/null", "--tracking-uri", uri).err == ""
    assert smwatch("status", "--tracking-uri", uri).err == f"options from {FILE}\n"


def test_the_example_of_the_page(folder: Path) -> None:
    """The file of docs/configuration.md is understood by each command, to its last key."""
    (block,) = [
        each for each in blocks(read("docs/configuration.md")) if each.mark == "configuration"
    ]
    (folder / FILE).write_text(block.text)
    for command in main.commands:
        parsed(command)
    watch = parsed("watch").params
    assert watch["tracking_uri"] == "http://127.0.0.1:5000"
    assert watch["tags"] == (("team", "vision"),)
    assert (watch["interval_s"], watch["log_json"]) == (30.0, True)
    assert parsed("sync").params["since"] == "30d"
    assert parsed("verify").params["since"] == "7d"
