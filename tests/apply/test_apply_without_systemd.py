"""The whole of apply by its command line in a network namespace, on a machine without systemd."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portward.apply.tools import has_systemd

pytestmark = pytest.mark.root

NAMESPACE = "pwapply"
CALL = "from portward.faces.cli import main; main()"
ROLE = ("--role", "remote-admin")


class Place:
    """A namespace with an interface, and a state directory."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ip", "netns", "exec", NAMESPACE, *command],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def portward(self, *words: str, expect: int = 0) -> str:
        state = ("--state-dir", str(self.state)) if words[0] != "plan" else ()
        result = self.run(sys.executable, "-c", CALL, *words, *state)
        assert result.returncode == expect, result.stdout + result.stderr
        return result.stdout + result.stderr

    @property
    def rules(self) -> str:
        return self.run("nft", "list", "ruleset").stdout

    @property
    def newest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.portward("history", "--format", "json"))
        newest: dict[str, Any] = found["applied"][0]
        return newest


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    assert not has_systemd()
    for command in (
        f"ip netns add {NAMESPACE}",
        f"ip -n {NAMESPACE} link add eth0 type veth peer name far",
        f"ip -n {NAMESPACE} addr add 198.51.100.7/24 dev eth0",
        f"ip -n {NAMESPACE} link set eth0 up",
        f"ip -n {NAMESPACE} link set far up",
        f"ip -n {NAMESPACE} link set lo up",
    ):
        subprocess.run(command.split(), check=True)
    yield Place(tmp_path / "state")
    subprocess.run(["ip", "netns", "del", NAMESPACE], check=True)


def test_it_is_loaded_kept_when_confirmed_and_taken_back(place: Place) -> None:
    said = place.portward("plan", *ROLE, expect=1)
    assert "systemd does not run here" in said
    place.portward("apply", *ROLE, "--yes", "--confirm-within", "60")
    assert "table inet portward" in place.rules
    assert place.newest["state"] == "waiting"
    place.portward("confirm")
    assert place.newest["state"] == "confirmed"
    assert "Nothing to change" in place.portward("plan", *ROLE)
    place.portward("rollback")
    assert place.rules == ""
    assert "there is nothing to take back" in place.portward("rollback", expect=2)


def test_what_nobody_confirms_goes_by_itself_without_a_systemd(place: Place) -> None:
    place.portward("apply", *ROLE, "--yes", "--confirm-within", "5")
    assert "table inet portward" in place.rules
    end = time.monotonic() + 30
    while place.rules and time.monotonic() < end:
        time.sleep(0.3)
    assert place.rules == ""
    while place.newest["state"] == "rolling back" and time.monotonic() < end:
        time.sleep(0.1)
    assert place.newest["reason"] == "nobody confirmed it in time"
    assert "nothing waits to be confirmed" in place.portward("confirm", expect=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("apply", *ROLE), "nobody is there to be asked (add --yes)"),
        (("apply", *ROLE, "--yes", "--confirm-within", "1"), "give it 5 to 86400 seconds"),
        (("apply", "/nonexistent/plan", "--yes"), "cannot be read"),
        (("apply", "--yes"), "a guess closes nothing"),
        (("rollback", "7"), "there is nothing to take back"),
    ],
)
def test_what_is_refused_says_so_in_one_line(
    place: Place, words: tuple[str, ...], said: str
) -> None:
    result = place.run(sys.executable, "-c", CALL, *words, "--state-dir", str(place.state))
    assert result.returncode == 2, result.stdout
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert place.rules == ""


def test_a_damaged_plan_is_refused(place: Place, tmp_path: Path) -> None:
    for text in ("", "{}", '{"schema": 99}', '{"schema": 1, "changes": 3}'):
        (tmp_path / "plan").write_text(text)
        said = place.portward("apply", str(tmp_path / "plan"), "--yes", expect=2)
        assert str(tmp_path / "plan") in said
        assert said.count("\n") == 1
