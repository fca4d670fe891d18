"""docs/rules.md: its file is one, its tables are whole, its words are the program's."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner

from mlflow_smwatch.alerts import marks, messenger
from mlflow_smwatch.alerts.channels import channels
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.cli import main
from mlflow_smwatch.core.rule_alerts import TAG_PREFIX, Word
from mlflow_smwatch.core.rule_tables import KEYS, read_rules
from mlflow_smwatch.core.rule_targets import read_targets, told, topics
from tests.docs.documents import blocks, names, read, rows

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = read("docs/rules.md")
(FILE,) = [each.text for each in blocks(PAGE) if each.mark == "rules"]
TABLES: dict[str, Any] = tomllib.loads(FILE)
HEADER = ("key", "meaning")


def test_the_file_is_read_as_it_stands(tmp_path: Path) -> None:
    """By a command that needs no AWS; it allows publishing to the topic of the file alone."""
    path = tmp_path / "smwatch.toml"
    path.write_text(FILE, encoding="utf-8")
    done = CliRunner().invoke(main, ["policy", "--config", str(path)])
    assert done.exit_code == 0, done.output
    statements = json.loads(done.stdout)["Statement"]
    (publishing,) = [each for each in statements if each["Sid"] == "TellOfAlarms"]
    assert publishing["Action"] == "sns:Publish"
    assert publishing["Resource"] == "arn:aws:sns:eu-west-1:123456789012:alarms"


def test_apprise_takes_the_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """And SNS the topic; nothing is sent."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    whom = told(read_rules("f", TABLES["rule"]), read_targets("f", TABLES["notify"]), ())
    addresses = [one for some in whom.values() for one in some]
    asked: list[str] = []

    def clients(topic: str) -> Aws:
        asked.append(topic)
        return connect("eu-west-1", None, 1)

    made = channels(addresses, clients)
    assert {each.shown for each in made} == {"slack://", "pagerduty://", *topics(whom.values())}
    assert tuple(asked) == topics(whom.values())
    assert logging.getLogger("apprise").disabled


def test_every_key_is_explained() -> None:
    """In the table, and no other."""
    assert {each for row in rows(PAGE, *HEADER) for each in names(row[0])} == set(KEYS)


def test_the_words_and_numbers() -> None:
    """Of messages, of the queue, of the end."""
    assert [names(word).pop() for word, _ in rows(PAGE, "word", "when")] == list(get_args(Word))
    assert f"`{TAG_PREFIX}idle-gpu`" in PAGE
    assert f"holds {messenger.CAPACITY} messages" in PAGE
    assert (messenger.KEPT_S, messenger.GRACE_S, marks.LONGEST_S) == (3600, 5, 2)
    assert "within an hour" in PAGE
    assert "for five seconds at most" in PAGE
    assert "for two seconds at most" in PAGE
