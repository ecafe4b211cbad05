"""Whatever kills an apply, and whenever: the machine is in the old state or the new one."""

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guest.applying import Json, portward
from guest.conftest import OFFLINE, install_clone
from guest.machine import Guest, image

pytestmark = [pytest.mark.guest, pytest.mark.root]

PACKAGES = (
    *("openssh-server", "nginx-light", "inetutils-telnetd", "inetutils-inetd"),
    *("rpcbind", "snmpd", "ufw", "iptables"),
)
HOME, PLAN, STATE = "/root/portward/src", "/root/plan.json", "/var/lib/portward"
PYTHON = "/root/portward/.venv/bin/python"


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    with Guest(image(*PACKAGES)) as guest:
        install_clone(guest)
        etc = guest.tree / "etc"
        with (etc / "inetd.conf").open("a") as inetd:
            inetd.write("telnet stream tcp nowait root /usr/sbin/tcpd /usr/sbin/telnetd\n")
        script = Path(__file__).with_name("faulting.py")
        (guest.tree / "root/faulting.py").write_text(script.read_text())
        guest.boot()
        for command in ("allow 22/tcp", "allow 80/tcp", "allow 111", "--force enable"):
            guest.run("ufw", *command.split())
        words = ("--role", "web-server", "--admin-from", f"{guest.gateway}/32")
        portward(guest, "plan", *words, "--out", PLAN, expect=1)
        yield guest


def faulting(guest: Guest, *words: str) -> Json:
    said = guest.run(PYTHON, "-I", "/root/faulting.py", HOME, PLAN, STATE, *words, env=OFFLINE)
    found: Json = json.loads(said.stdout.splitlines()[-1])
    return found


def state(guest: Guest) -> list[str]:
    said = guest.run(PYTHON, "-I", "/root/faulting.py", HOME, PLAN, STATE, "state", env=OFFLINE)
    found: list[str] = json.loads(said.stdout)
    return found


@contextmanager
def knocking(guest: Guest) -> Iterator[list[str]]:
    """Connect to SSH over and over, as long as the block takes; the list gets what failed."""
    failed: list[str] = []
    over = threading.Event()

    def knock() -> None:
        while not over.wait(0.1):
            try:
                with socket.create_connection((guest.address, 22), timeout=5) as link:
                    if not link.recv(4):
                        failed.append("no banner")
            except OSError as error:
                failed.append(str(error))

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        yield failed
    finally:
        over.set()
        thread.join()


def unlike(one: list[str], other: list[str]) -> list[str]:
    """Compare two states, but for the unit that watches over the next boot."""
    return sorted(line for line in set(one) ^ set(other) if "portward-recover" not in line)


def test_killed_at_every_moment_the_machine_is_as_before_and_ssh_never_shut(
    guest: Guest, capsys: pytest.CaptureFixture[str]
) -> None:
    old = state(guest)
    whole = faulting(guest, "ids")
    moments = whole["moments"]
    assert state(guest) == old
    assert whole["new"] != json.dumps(old)
    lost = []
    faults = 0
    with knocking(guest) as failed:
        for number, moment in enumerate(moments):
            # The guard dies as well at every third, and systemd has to bring it back.
            extra = ["guard"] if number % 3 == 0 else []
            found = faulting(guest, "at", str(number), *extra)
            faults += 1
            if moment == "finished":
                # All was done and it waits: the new state, until somebody says no.
                assert found["told"], moment
                assert unlike(json.loads(found["state"]), json.loads(whole["new"])) == []
                continue
            difference = unlike(json.loads(found["state"]), old)
            if difference or failed:
                lost.append((moment, difference[:5], failed[:3]))
                failed.clear()
    with capsys.disabled():
        print(f"\n{faults} faults, {len(lost)} lost")  # noqa: T201 - the line that people look for
    assert lost == []


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_power_loss_leaves_the_old_state_after_the_boot(guest: Guest, part: float) -> None:
    moments = faulting(guest, "ids")["moments"]
    guest.wait_for("systemctl", "is-active", "--quiet", "snmpd.service")
    old = state(guest)
    number = int(len(moments) * part)
    # The process dies and the plug is pulled before the guard has done anything.
    command = (PYTHON, "-I", "/root/faulting.py", HOME, PLAN, STATE, "at", str(number), "stay")
    subprocess.run(
        ["nsenter", "--target", str(guest.leader), "--all", "--", *command],
        check=False,
        capture_output=True,
        timeout=120,
    )
    guest.pull_the_plug()
    guest.boot()
    guest.wait_for("bash", "-c", "systemctl is-system-running | grep -Eq 'running|degraded'")
    guest.wait_for("bash", "-c", "! systemctl is-active --quiet portward-recover.service")
    newest = json.loads(portward(guest, "history", "--format", "json"))["applied"][0]
    assert newest["state"] == "rolled back"
    end = time.monotonic() + 60  # what was running is started without waiting, in the boot
    while (left := unlike(state(guest), old)) and time.monotonic() < end:
        time.sleep(1)
    assert left == []
    with socket.create_connection((guest.address, 22), timeout=5) as link:
        assert link.recv(4) == b"SSH-"


def test_a_disk_that_is_full_lets_nothing_begin(guest: Guest) -> None:
    old = state(guest)
    full = "/run/full"
    guest.run("mkdir", "-p", full)
    guest.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", full)
    words = ("apply", "--role", "web-server", "--yes", "--state-dir", full)
    result = guest.run("/root/portward/portward", *words, check=False, env=OFFLINE)
    assert result.returncode == 2
    assert "nothing was changed" in result.stderr
    assert unlike(state(guest), old) == []
    guest.run("umount", full)


def test_a_second_apply_is_told_who_is_at_work(guest: Guest) -> None:
    lock = f"exec 9<>{STATE}/lock; flock 9; exec sleep 60"
    guest.run("systemd-run", "--quiet", "--collect", "--unit=holder", "bash", "-c", lock)
    guest.wait_for("bash", "-c", f"! flock -n {STATE}/lock true")
    words = ("apply", "--role", "web-server", "--yes")
    result = guest.run("/root/portward/portward", *words, check=False, env=OFFLINE)
    assert result.returncode == 2
    assert "is changing the machine" in result.stderr
    guest.run("systemctl", "stop", "holder")


def test_what_fails_half_way_is_taken_back_at_once(guest: Guest) -> None:
    old = state(guest)
    plan = json.loads((guest.tree / "root/plan.json").read_text())
    # Rules that nft refuses, after everything else was done.
    plan["changes"].append(
        {
            "subject": "broken",
            "title": "Load what is no ruleset",
            "why": "a test",
            "steps": [{"do": "table", "rules": "table inet portward { chain x { nonsense } }"}],
            "risk": "none",
        }
    )
    (guest.tree / "root/broken.json").write_text(json.dumps(plan))
    words = (HOME, "/root/broken.json", STATE, "ids")
    result = guest.run(PYTHON, "-I", "/root/faulting.py", *words, check=False, env=OFFLINE)
    assert result.returncode != 0
    assert "everything was taken back, the machine is as before" in result.stderr
    assert unlike(state(guest), old) == []


def test_a_signal_takes_back_what_was_done(guest: Guest) -> None:
    old = state(guest)
    command = (
        f"{PYTHON} -I /root/faulting.py {HOME} {PLAN} {STATE} ids & child=$!;"
        f" while ! ls {STATE}/applies/*/guard-ready >/dev/null 2>&1; do sleep 0.02; done;"
        f" sleep 0.3; kill -{signal.SIGTERM.value} $child; wait $child"
    )
    guest.run("bash", "-c", command, check=False, env=OFFLINE)
    assert unlike(state(guest), old) == []
