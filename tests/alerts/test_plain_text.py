"""What services are sent of text that others wrote: shown as it stands, and nothing more."""

from __future__ import annotations

import re
from typing import Any

import apprise
import pytest

from mlflow_smwatch.alerts.channels import channels
from mlflow_smwatch.alerts.plain_text import plain
from mlflow_smwatch.core.rule_alerts import Alert
from mlflow_smwatch.core.rule_tables import read_rules
from mlflow_smwatch.core.rule_targets import read_address

REASON = (
    "AlgorithmError: <class 'ValueError'>\n<img src=http://x.test/y> & <!channel> <@U1>"
    " @everyone [here](http://x.test) *b*"
)
(RULE,) = read_rules("f", [{"name": "r", "status": "FAILED"}])
ALERT = Alert(
    rule=RULE,
    word="ALARM",
    arn="arn",
    kind="training-job",
    job="a_job",
    run_id="1",
    series="status",
    at_ms=0,
    value="Failed",
    reason=REASON,
)


def sent(monkeypatch: pytest.MonkeyPatch, url: str) -> dict[str, Any]:
    """Give what apprise's service is to send of the message."""
    address = read_address("f", url)
    service: Any = channels([address], lambda _: None)[address]  # type: ignore[arg-type, return-value]
    calls: list[dict[str, Any]] = []

    def keep(**call: Any) -> bool:
        calls.append(call)
        return True

    monkeypatch.setattr(service.plugin, "send", keep)
    service.send(ALERT)
    (call,) = calls
    return call


@pytest.mark.parametrize(
    "url",
    [
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "mailto://u:p@localhost:2525?format=html",
        "mailgun://user@example.com/0123456789abcdef-0123456789abcdef/a@example.com",
    ],
)
def test_html(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """No tag but apprise's own."""
    body = sent(monkeypatch, url)["body"]
    assert "&lt;class 'ValueError'&gt;\\n&lt;img src=http://x.test/y&gt; &amp;" in body
    assert set(re.findall(r"<[^>]*>", body)) <= {"<b>", "</b>", "<br />"}


@pytest.mark.parametrize(
    "url",
    [
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#c",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#c?format=markdown",
        "gchat://workspace/key/token",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?format=markdown",
    ],
)
def test_chats(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Nobody is called, nothing is a link."""
    call = sent(monkeypatch, url)
    body = call["body"]
    assert not re.search(r"<[!@#]|<img|@everyone|<class", body)
    assert call["body_format"] == apprise.NotifyFormat.TEXT or "\\*b\\*" in body
    assert "a_job" in call["title"] + body.replace("\\", "")


@pytest.mark.parametrize(
    "url", ["json://127.0.0.1:9/", "mailto://u:p@localhost:2525", "xml://127.0.0.1:9/"]
)
def test_text(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Where text is text it stays, on one line."""
    call = sent(monkeypatch, url)
    assert call["body_format"] == apprise.NotifyFormat.TEXT
    assert "<class 'ValueError'>\\n<img src=http://x.test/y> & <!channel>" in call["body"]
    assert "@everyone" not in call["body"]


def test_languages() -> None:
    """Each has its own marks."""
    assert plain("<a> & b_c", "html") == "&lt;a&gt; &amp; b_c"
    assert plain("a_b [c](d)\te", "markdown") == r"a\_b \[c\](d)\\te"
    assert plain("a_b <c>", "text") == "a_b <c>"
