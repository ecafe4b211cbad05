"""Automatic updates, switched on for real from Debian's own packages, and off again."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from guest.applying import history, portward
from guest.conftest import install_clone
from guest.machine import Guest, image

pytestmark = [pytest.mark.guest, pytest.mark.root]

TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
POLICY = """
roles = ["isolated"]
automatic_updates = true
[[allow]]
service = "ssh"
from = "any"
"""


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    with Guest(image()) as guest:
        install_clone(guest)
        # The guest has no way to the archive, so what is to be installed lies in apt's store.
        shutil.copy("/etc/resolv.conf", guest.tree / "etc/resolv.conf")
        fetch = ("apt-get", "install", "-y", "-qq", "--download-only", "--no-install-recommends")
        subprocess.run(
            ["chroot", guest.tree, *fetch, "unattended-upgrades"],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=300,
        )
        (guest.tree / "root/policy.toml").write_text(POLICY)
        guest.boot()
        for timer in TIMERS:
            guest.run("systemctl", "disable", "--now", timer)
        yield guest


def found(guest: Guest) -> dict[str, object]:
    """Return all that automatic updates depend on."""
    setting = guest.tree / "etc/apt/apt.conf.d/20auto-upgrades"
    states = guest.run("systemctl", "is-active", *TIMERS, check=False).stdout.split()
    enabled = guest.run("systemctl", "is-enabled", *TIMERS, check=False).stdout.split()
    packages = guest.run("dpkg-query", "-W", "-f=${Package} ${Version} ${Status}\n").stdout
    return {
        "setting": setting.read_text() if setting.exists() else None,
        "timers": (states, enabled),
        "packages": packages,
        "configuration": sorted(
            str(path.relative_to(guest.tree)) for path in Path(guest.tree / "etc/apt").rglob("*")
        ),
    }


def test_updates_are_switched_on_and_off_again(guest: Guest) -> None:
    before = found(guest)
    policy = ("--policy", "/root/policy.toml")
    portward(guest, "apply", *policy, "--yes", "--confirm-within", "60")
    portward(guest, "confirm")

    after = found(guest)
    assert after["timers"] == (["active"] * 2, ["enabled"] * 2)
    assert "unattended-upgrades 2" in str(after["packages"])
    periodic = guest.run("apt-config", "dump", "APT::Periodic").stdout
    assert 'APT::Periodic::Unattended-Upgrade "1";' in periodic
    assert "nothing to change" in portward(guest, "plan", *policy).lower()
    said = guest.run("unattended-upgrade", "--dry-run", "--debug", check=False)
    assert "Allowed origins are" in said.stdout + said.stderr

    portward(guest, "rollback")
    assert history(guest)[0]["state"] == "rolled back"
    assert found(guest) == before
