"""The command line: what is refused before anything is done, and what is not even loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlflow_smwatch.alerts.messenger import Messenger
from mlflow_smwatch.cli import main
from mlflow_smwatch.cli.alerting import _receivers
from mlflow_smwatch.core.rule_alerts import Alert
from mlflow_smwatch.core.rule_targets import read_address

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
RULE = '[[rule]]\nname = "r"\nstatus = "FAILED"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without AWS and with a store that is never made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/never.db")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "arguments", "said"),
    [
        (f'{RULE}notify = "ops"', (), "rule r: notify: ops is not in [notify] (none is there)"),
        (f'[notify]\nops = "hush"\n{RULE}', (), "[notify] ops: give a URL such as slack://"),
        ("[[rule]]\n", (), "smwatch.toml: [[rule]] 1: name: give"),
        ("[rule]\n", (), "smwatch.toml: [rule]: give [[rule]]"),
        (RULE, ("--notify", "hush"), "--notify: give a URL such as slack://"),
        (RULE, ("--notify", "quirk://hush"), "apprise does not understand a URL that begins with"),
        (f"notify = [3]\n{RULE}", (), "notify: give a text or a list of texts"),
    ],
)
def test_mistakes(folder: Path, file: str, arguments: tuple[str, ...], said: str) -> None:
    """One line, exit code 2, no secret in it."""
    (folder / "smwatch.toml").write_text(file)
    done = CliRunner().invoke(main, ["watch", *arguments])
    assert done.exit_code == 2, done.output
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("Error: ")]
    assert said in line
    assert "hush" not in line


def test_every_command_checks_the_rules(folder: Path) -> None:
    """Also one that has nothing to do with them."""
    (folder / "smwatch.toml").write_text('[[rule]]\nname = "r"\n')
    done = CliRunner().invoke(main, ["status"])
    assert done.exit_code == 2
    assert "[[rule]] 1 (r): give one condition" in done.stderr


def test_a_topic_may_be_named_anywhere(folder: Path) -> None:
    """In the file, in the option's variable; without one nothing may be published."""
    assert "sns:" not in CliRunner().invoke(main, ["policy"]).stdout
    given = CliRunner().invoke(main, ["policy"], env={"SMWATCH_NOTIFY": f"json://h {TOPIC}"})
    assert f'"{TOPIC}"' in given.stdout
    (folder / "smwatch.toml").write_text(f'[policy]\nnotify = "{TOPIC}"\n')
    assert CliRunner().invoke(main, ["policy"]).stdout == given.stdout


@pytest.mark.parametrize(
    ("code", "out"),
    [
        (
            """
with alerting(Exports(), (), (), (), (), None):
    print('mlflow_smwatch.alerts' in sys.modules, 'apprise' in sys.modules)
""",
            "False False",
        ),
        (
            """
sys.modules['apprise'] = None
from mlflow_smwatch.alerts.channels import channels
from mlflow_smwatch.core.rule_targets import read_address
try:
    channels([read_address('f', 'slack://a/b/c')], None)
except UsageError as error:
    print(error)
""",
            "notifications to slack:// need: pip install 'mlflow-smwatch[alerts]'",
        ),
    ],
    ids=["no rule", "no extra"],
)
def test_what_is_loaded(code: str, out: str) -> None:
    """Nothing without a rule; apprise only where one of its URLs is given."""
    begin = (
        "import sys\nfrom mlflow_smwatch.cli.alerting import alerting\n"
        "from mlflow_smwatch.cli.exports import Exports\n"
        "from mlflow_smwatch.core.errors import UsageError\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", begin + code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == out


def test_addresses_are_receivers() -> None:
    """Several of one scheme are told apart, and no more is shown of them."""
    messenger = Messenger(
        {read_address("f", url): Mute() for url in ("json://hush", "json://hush-hush", TOPIC)}
    )
    rows = [each.state.to_dict() for each in _receivers(messenger.lines)]
    assert [each["receiver"] for each in rows] == [
        "notify json://",
        "notify json:// 2",
        f"notify {TOPIC}",
    ]
    assert rows[0] == {**rows[1], "receiver": "notify json://"}
    assert (rows[0]["reachable"], rows[0]["sent"], rows[0]["dropped"]) == (True, 0, 0)


class Mute:
    """A channel."""

    def send(self, alert: Alert) -> None:
        """Send nothing."""
