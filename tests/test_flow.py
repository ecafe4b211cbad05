"""What the faces call: here, which policy is believed."""

from datetime import date
from pathlib import Path

import pytest

import build
from portward import flow
from portward.model.errors import PolicyError

DAY = date(2026, 1, 1)


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a policy where portward looks for one by itself."""
    file = tmp_path / "policy.toml"
    file.write_text('roles = ["web-server"]\n')
    file.chmod(0o644)
    monkeypatch.setattr(flow, "POLICY_FILE", file)
    return file


def test_the_policy_of_the_machine_is_taken(standing: Path) -> None:
    assert flow.case(build.snapshot(), day=DAY).policy.source == str(standing)


def test_a_policy_that_others_may_write_is_believed_only_by_name(standing: Path) -> None:
    standing.chmod(0o666)
    with pytest.raises(PolicyError, match="may be written by others"):
        flow.case(build.snapshot(), day=DAY)
    named = flow.case(build.snapshot(), day=DAY, policy_file=standing)
    assert named.policy.source == str(standing)
