"""A machine that is closed for real: seen from outside, kept over a reboot, and taken back."""

import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from guest.applying import Ssh, State, history, page, portward, scan, state
from guest.conftest import SHOWCASE, crowded
from guest.machine import STORE, Guest

pytestmark = [pytest.mark.guest, pytest.mark.root]

CLOSED = (23, 111, 139, 445, 5432, 8080)
EXPECTED = f"-p22,80,{','.join(map(str, CLOSED))}"
ROLE = ("--role", "web-server")


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    with crowded(*SHOWCASE) as guest:
        portward(guest, "status")  # the first start makes what later ones use
        yield guest


@pytest.fixture(scope="module")
def ssh(guest: Guest, tmp_path_factory: pytest.TempPathFactory) -> Ssh:
    return Ssh(guest, tmp_path_factory.mktemp("ssh"))


def test_a_web_server_is_closed_kept_over_a_reboot_and_taken_back(guest: Guest, ssh: Ssh) -> None:
    before = state(guest)
    open_before = scan(guest.address, EXPECTED)
    assert {22, 80, *CLOSED} <= {port for port, how in open_before.items() if how == "open"}

    live = subprocess.Popen(
        ssh.command("while read -r line; do echo got $line; done"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert live.stdin is not None
    assert live.stdout is not None

    def answers() -> bool:
        """Say whether the SSH session that was there before still lives."""
        assert live.stdin is not None
        assert live.stdout is not None
        live.stdin.write("a line\n")
        live.stdin.flush()
        return live.stdout.readline() == "got a line\n"

    assert answers()
    # Over SSH, so that the way in is the one of a real session.
    made = json.loads(ssh.portward("plan", *ROLE, "--format", "json", expect=1))
    (way,) = made["way_in"]
    assert (way["source"], way["port"], way["answer"]) == (guest.gateway, 22, "yes")
    assert way["interface"] == "eth0"
    assert not made["refusals"]

    ssh.portward("apply", *ROLE, "--yes", "--confirm-within", "120", expect=0)
    assert answers()
    ssh.portward("confirm", expect=0)
    check_closed(guest, ssh)
    assert answers()
    live.communicate(timeout=20)

    # Twice changes nothing.
    after = state(guest)
    said = ssh.portward("apply", *ROLE, "--yes", expect=0)
    assert "Nothing to change" in said
    assert state(guest) == after

    guest.reboot()
    guest.wait_for("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/80")
    check_closed(guest, ssh)
    loaded, network = (
        guest.run("systemctl", "show", "--value", "--property=" + of, unit).stdout.strip()
        for of, unit in (
            ("ActiveEnterTimestampMonotonic", "portward-firewall.service"),
            ("ActiveEnterTimestampMonotonic", "network-pre.target"),
        )
    )
    assert 0 < int(loaded) <= int(network)

    portward(guest, "rollback")
    assert differences(before, state(guest)) == []
    open_again = {port for port, how in scan(guest.address, EXPECTED).items() if how == "open"}
    assert {22, 23, 80, 111, 139, 445, 5432} <= open_again
    assert [one["state"] for one in history(guest)] == ["rolled back"]


def differences(before: State, now: State) -> list[str]:
    """Return what a rollback after a reboot has not brought back; docker's rules are its own."""
    lines = [
        *set(before.files) ^ set(now.files),
        *set(before.units) ^ set(now.units),
        *set(before.packages.splitlines()) ^ set(now.packages.splitlines()),
    ]
    return [*lines, *(line for line in now.rules.splitlines() if "portward" in line)]


def check_closed(guest: Guest, ssh: Ssh) -> None:
    """See from outside, over both families, that nothing answers but what the role needs."""
    for address in (guest.address, f"fd99:{guest.number}::2"):
        found = scan(address)
        assert {port for port, how in found.items() if how == "open"} == {22, 80}, address
        assert set(found) <= {22, 80, 443, 9100}, address  # allowed, and nothing listens
        assert page(address)
        assert ssh.run("true", address=address).status == 0, address


def test_what_nobody_confirms_is_taken_back_though_the_session_is_gone(
    guest: Guest, ssh: Ssh
) -> None:
    before = state(guest)
    ssh.portward("apply", *ROLE, "--yes", "--confirm-within", "6", expect=0)
    assert state(guest) != before
    end = time.monotonic() + 40
    while history(guest)[0]["state"] in {"waiting", "rolling back"} and time.monotonic() < end:
        time.sleep(1)
    newest = history(guest)[0]
    assert newest["state"] == "rolled back"
    assert newest["reason"] == "nobody confirmed it in time"
    assert newest["who"]["source"] == guest.gateway
    assert state(guest) == before


def test_a_plan_that_would_lock_its_reader_out_is_refused_before_anything_is_touched(
    guest: Guest, ssh: Ssh
) -> None:
    policy = (
        'roles = ["web-server"]\n[networks]\nadmin = ["192.0.2.0/24"]\n'
        '[[allow]]\nservice = "ssh"\nfrom = "admin"\n'
    )
    (guest.tree / "root/policy.toml").write_text(policy)
    before = state(guest)
    words = ("apply", "--policy", "/root/policy.toml", "--yes")
    result = ssh.run("env", "PIP_NO_INDEX=1", "/root/portward/portward", *words)
    assert result.status == 2
    assert f"your own way in, from {guest.gateway} to 22/tcp, would be shut" in result.stderr
    assert f'add to the policy: [[allow]] service = "ssh", from = ["{guest.gateway}"]' in (
        result.stderr
    )
    assert result.stderr.count("\n") == 1
    assert state(guest) == before


def test_a_saved_plan_is_refused_once_the_machine_has_changed(guest: Guest, ssh: Ssh) -> None:
    ssh.portward("plan", *ROLE, "--out", "/root/plan.json", "--force", expect=1)
    guest.run("systemctl", "stop", "snmpd.service")
    result = ssh.run("env", "PIP_NO_INDEX=1", "/root/portward/portward", "apply", "/root/plan.json")
    assert result.status == 2
    assert "the machine has changed since: unit snmpd.service" in result.stderr
    guest.run("systemctl", "start", "snmpd.service")
    guest.wait_for("bash", "-c", "ss -Hlun sport = 161 | grep -q .")
    ssh.portward("apply", "/root/plan.json", "--yes", "--confirm-within", "60", expect=0)
    ssh.portward("rollback", expect=0)


def test_a_published_port_that_the_policy_allows_stays_open_and_containers_reach_out(
    guest: Guest, ssh: Ssh
) -> None:
    # The reboot has ended it.
    guest.allow_containers()
    guest.run("docker", "start", "shop")
    guest.wait_for("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080")
    policy = (
        'roles = ["web-server", "container-host"]\n'
        '[[allow]]\nport = "8080/tcp"\nfrom = "any"\nreason = "the shop"\n'
    )
    (guest.tree / "root/shop.toml").write_text(policy)
    words = ("--policy", "/root/shop.toml", "--yes", "--confirm-within", "60")
    ssh.portward("apply", *words, expect=0)
    found = scan(guest.address)
    assert {port for port, how in found.items() if how == "open"} == {22, 80, 8080}
    assert page(guest.address, 8080)
    # From inside, out to the world: here, to the web server's own address and to the host.
    fetch = ("busybox", "nc", "-w", "3", guest.gateway, "9")
    refused = guest.run("docker", "exec", "shop", *fetch, check=False)
    assert "refused" in (refused.stdout + refused.stderr).lower()  # an answer came back
    ssh.portward("rollback", expect=0)


def test_a_package_that_could_not_be_brought_back_is_not_removed(guest: Guest, ssh: Ssh) -> None:
    before = state(guest)
    words = ("apply", *ROLE, "--remove", "--yes")
    refused = ssh.run("env", "PIP_NO_INDEX=1", "/root/portward/portward", *words)
    assert refused.status == 2
    assert "could not be fetched, so its removal could not be undone" in refused.stderr
    assert "everything was taken back, the machine is as before" in refused.stderr
    assert differences(before, state(guest)) == []


def test_packages_that_nobody_needs_go_and_come_back_in_the_same_versions(
    guest: Guest, ssh: Ssh
) -> None:
    for deb in (STORE / "debs").glob("*.deb"):
        (guest.tree / "var/cache/apt/archives" / deb.name).write_bytes(deb.read_bytes())
    before = state(guest)
    asked = (*ROLE, "--remove")
    made = json.loads(ssh.portward("plan", *asked, "--format", "json", expect=1))
    removed = {one["subject"] for one in made["changes"] if one["subject"].startswith("package ")}
    assert {"package snmpd", "package rpcbind"} <= removed
    assert not any("openssh" in name or "nginx" in name for name in removed)
    ssh.portward("apply", *asked, "--yes", "--confirm-within", "120", expect=0)
    ssh.portward("confirm", expect=0)
    selections = guest.run("dpkg", "--get-selections", "snmpd", "rpcbind").stdout
    assert selections.split()[1::2] == ["deinstall", "deinstall"]
    guest.run("bash", "-c", "test -f /var/lib/postgresql/15/main/PG_VERSION")
    ssh.portward("rollback", expect=0)
    assert differences(before, state(guest)) == []
    guest.run("bash", "-c", "rm -f /var/cache/apt/archives/*.deb")


def test_ssh_on_a_port_of_its_own_is_the_way_in_that_counts(
    guest: Guest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    drop_in = guest.tree / "etc/systemd/system/ssh.socket.d"
    drop_in.mkdir()
    (drop_in / "port.conf").write_text("[Socket]\nListenStream=\nListenStream=2222\n")
    guest.run("systemctl", "daemon-reload")
    guest.run("systemctl", "stop", "ssh.service")
    guest.run("systemctl", "restart", "ssh.socket")
    ssh = Ssh(guest, tmp_path_factory.mktemp("ssh"), port=2222)
    refused = ssh.run("env", "PIP_NO_INDEX=1", "/root/portward/portward", "apply", *ROLE, "--yes")
    assert refused.status == 2
    assert '[[allow]] port = "2222/tcp"' in refused.stderr
    policy = f'roles = ["web-server"]\n[[allow]]\nport = "2222/tcp"\nfrom = "{guest.gateway}"\n'
    (guest.tree / "root/port.toml").write_text(policy)
    words = ("--policy", "/root/port.toml", "--yes", "--confirm-within", "60")
    ssh.portward("apply", *words, expect=0)
    assert ssh.run("true").status == 0
    found = scan(guest.address)
    assert {port for port, how in found.items() if how == "open"} == {80, 2222}
    ssh.portward("rollback", expect=0)
