"""What has no run is said so by every command that takes a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Smwatch
from tests.kinds import kind_arn

CLUSTER = kind_arn("cluster/abcdefgh1234")
JOB = kind_arn("job/AgentRFT/tune-it")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["sync", "verify"])
def test_passes(smwatch: Smwatch, database: Path, command: str) -> None:
    """One line each on stderr, exit code 1; all else is done."""
    done = smwatch(
        command, "alpha", CLUSTER, JOB, "--json", "--tracking-uri", f"sqlite:///{database}"
    )
    assert done.code == 1
    for arn, what in ((CLUSTER, "a HyperPod cluster"), (JOB, "the generic ListJobs family")):
        (line,) = [each for each in done.err.splitlines() if f"not mirrored: {arn}" in each]
        assert what in line
    failed = done.document.get("failed") or []
    if command == "sync":
        assert [each["arn"] for each in failed] == [CLUSTER, JOB]
        assert [each["name"] for each in done.document["runs"]] == ["alpha"]


def test_open(smwatch: Smwatch, database: Path) -> None:
    """Without AWS."""
    done = smwatch("open", CLUSTER, "--tracking-uri", f"sqlite:///{database}")
    assert done.code == 1
    assert f"not mirrored: {CLUSTER} is a HyperPod cluster" in done.err
