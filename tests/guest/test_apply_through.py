"""Applied through ufw and firewalld: they stay in charge, and are exactly what the policy says."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from guest.applying import Json, Ssh, State, portward, scan, state
from guest.conftest import OFFLINE, install_clone
from guest.machine import Guest, image
from guest.scenes import Goal, Net, knock, prepare
from guest.test_apply_faults import knocking
from guest.test_reach_tools import take_snapshot
from reach.captures import Capture, Knock, disagreements

pytestmark = [pytest.mark.guest, pytest.mark.root]

PACKAGES = (
    *("ufw", "iptables", "firewalld", "nftables", "openssh-server"),
    *("docker.io", "busybox-static"),
)
ROLE = ("--role", "web-server")
OPEN, CLOSED = {22, 80, 9100}, (5432, 8000)
"""What a web server needs, seen from a private network; and what it does not."""
SERVERS = """\
[Unit]
Description=Servers that nobody knows
[Service]
ExecStart=/usr/bin/python3 /root/answering.py 80/tcp 5432/tcp 8000/tcp 9100/tcp 161/udp
[Install]
WantedBy=multi-user.target
"""
PYTHON = "/root/portward/.venv/bin/python"
HOME, PLAN, STATE_DIR = "/root/portward/src", "/root/plan.json", "/var/lib/portward"


REJECTED = "rule family=ipv4 source address=10.0.0.0/8 port port=9100 protocol=tcp reject"


class Tool(NamedTuple):
    """A tool as an administrator left it: too much open, some of it by rules of every kind."""

    name: str
    before: tuple[tuple[str, ...], ...]
    after: tuple[str, ...]
    """A command that lists its rules, for people."""


UFW = Tool(
    "ufw",
    (
        ("ufw", "deny", "from", "198.51.100.9"),
        ("ufw", "allow", "8000"),
        ("ufw", "allow", "WWW Full"),
        ("ufw", "allow", "22/tcp"),
        ("ufw", "limit", "9100/tcp"),
        ("ufw", "allow", "out", "53/udp"),
        ("ufw", "route", "allow", "in", "on", "eth0"),
        ("ufw", "reject", "from", "10.0.0.0/8", "to", "any", "port", "9100", "proto", "tcp"),
        ("ufw", "allow", "in", "on", "eth0", "to", "any", "port", "5432", "proto", "tcp"),
        ("ufw", "--force", "enable"),
    ),
    ("ufw", "status", "numbered"),
)
FIREWALLD = Tool(
    "firewalld",
    (
        ("systemctl", "start", "firewalld"),
        ("firewall-cmd", "--permanent", "--zone=public", "--add-service=http"),
        ("firewall-cmd", "--permanent", "--zone=public", "--add-port=8000/tcp"),
        ("firewall-cmd", "--permanent", "--zone=public", "--add-port=161/udp"),
        ("firewall-cmd", "--permanent", "--zone=trusted", "--add-source=198.51.100.0/24"),
        (
            *("firewall-cmd", "--permanent", "--zone=public"),
            f"--add-rich-rule={REJECTED}",
        ),
        ("firewall-cmd", "--reload"),
        # At work alone: a boot, or a reload, would forget it.
        ("firewall-cmd", "--zone=public", "--add-port=5432/tcp"),
    ),
    ("firewall-cmd", "--list-all-zones"),
)
TOOLS = (UFW, FIREWALLD)


@pytest.fixture(params=TOOLS, ids=lambda tool: tool.name)
def tool(request: pytest.FixtureRequest) -> Tool:
    found: Tool = request.param
    return found


@pytest.fixture
def guest(tool: Tool) -> Iterator[Guest]:
    """Boot a machine on which the tool is at work, and is not started by a boot."""
    with Guest(image(*PACKAGES)) as guest:
        install_clone(guest)
        prepare(guest)
        unit = guest.tree / "etc/systemd/system/answering.service"
        unit.write_text(SERVERS)
        (guest.tree / "root/faulting.py").write_text(
            Path(__file__).with_name("faulting.py").read_text()
        )
        guest.boot()
        guest.run("systemctl", "enable", "--now", "answering.service")
        for command in tool.before:
            guest.run(*command)
        portward(guest, "status")  # the first start makes what later ones use
        yield guest


def seen_from_outside(guest: Guest) -> None:
    for address in (guest.address, f"fd99:{guest.number}::2"):
        found = scan(address)
        assert {port for port, how in found.items() if how == "open"} == OPEN, address
        assert set(found) <= {*OPEN, 443}, address


def differences(before: State, now: State) -> list[str]:
    return sorted({*lines(before)} ^ {*lines(now)})


def lines(found: State) -> list[str]:
    """Return all of it, without what comes with a login, and in whatever order rules stand."""
    units = (unit for unit in found.units if not unit.startswith("user"))
    return [*found.files, *units, *found.rules.splitlines(), *found.packages.splitlines()]


def _server(row: Json, answer: str | None) -> str | None:
    """Name the server as the others here name themselves."""
    is_ssh = answer is not None and answer.startswith("SSH-")
    return f"{row['address']} {row['port']}" if is_ssh else answer


def model_is_kernel(guest: Guest) -> None:
    """Knock from near and far at every port, and hold reach's answers against what answered."""
    net = Net(guest)
    guest.run("ip", "-6", "route", "replace", "default", "via", f"fd99:{guest.number}::1")
    try:
        ports = (22, 80, 443, 5432, 8000, 9100)
        goals = [Goal(address, port) for address in net.own for port in ports]
        goals += [Goal(address, 161, "udp") for address in net.own]
        rows = [
            {**row, "reached": [_server(row, one) for one in row["reached"]]}
            for row in knock(guest, net.stands, goals)
        ]
        knocks = msgspec.convert(rows, tuple[Knock, ...])
        capture = Capture(tools={}, snapshot=take_snapshot(guest), knocks=knocks)
        assert disagreements(capture) == []
        far = {
            int(row["port"])
            for row in rows
            if any(row["reached"]) and row["source"] in {"203.0.113.77", "198.51.100.9"}
        }
        assert far == {80}
    finally:
        net.close()
        guest.run("ip", "link", "del", "lan0", check=False)


def test_a_machine_is_closed_through_the_tool_over_a_boot_and_comes_back(
    guest: Guest, tool: Tool, tmp_path: Path
) -> None:
    ssh = Ssh(guest, tmp_path)
    before = state(guest)
    rules = guest.run(*tool.after).stdout
    assert set(CLOSED) <= {port for port, how in scan(guest.address).items() if how == "open"}

    through = (*ROLE, "--through", tool.name)
    made: Json = json.loads(ssh.portward("plan", *through, "--format", "json", expect=1))
    assert made["refusals"] == []
    (way,) = made["way_in"]
    assert (way["source"], way["answer"]) == (guest.gateway, "yes")

    ssh.portward("apply", *through, "--yes", "--confirm-within", "120", expect=0)
    ssh.portward("confirm", expect=0)
    seen_from_outside(guest)
    assert "portward" not in guest.run("nft", "list", "tables").stdout
    model_is_kernel(guest)

    # Twice changes nothing, and who is in charge is not asked again.
    after = state(guest)
    assert "Nothing to change" in ssh.portward("plan", *ROLE, expect=0)
    assert "Nothing to change" in ssh.portward("apply", *ROLE, "--yes", expect=0)
    assert differences(after, state(guest)) == []

    guest.reboot()
    guest.wait_for("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/80")
    guest.wait_for("systemctl", "is-active", "--quiet", f"{tool.name}.service")
    seen_from_outside(guest)
    assert "Nothing to change" in ssh.portward("plan", *ROLE, expect=0)

    ssh.portward("rollback", expect=0)
    # The unit that loads ufw has run in the boot, and only to stop ufw would be to forget that.
    left = [line for line in differences(before, state(guest)) if line != "ufw.service active"]
    assert left == []
    assert guest.run(*tool.after).stdout == rules


def test_what_is_taken_back_at_once_is_as_it_was_in_every_respect(guest: Guest, tool: Tool) -> None:
    before = state(guest)
    portward(guest, "apply", *ROLE, "--through", tool.name, "--yes")
    assert differences(before, state(guest)) != []
    portward(guest, "rollback")
    assert differences(before, state(guest)) == []


def test_killed_at_every_moment_the_tool_is_as_before(guest: Guest, tool: Tool) -> None:
    def faulting(*words: str) -> Any:
        command = (PYTHON, "-I", "/root/faulting.py", HOME, PLAN, STATE_DIR, *words)
        return json.loads(guest.run(*command, env=OFFLINE).stdout.splitlines()[-1])

    portward(guest, "plan", *ROLE, "--through", tool.name, "--out", PLAN, expect=1)
    old = facts(faulting("state"))
    moments = faulting("ids")["moments"]
    assert len(moments) > 10
    with knocking(guest) as failed:
        for number, moment in enumerate(moments[:-1]):
            found = facts(json.loads(faulting("at", str(number))["state"]))
            wrong = {line for line in found ^ old if "portward-recover" not in line}
            assert (wrong, failed) == (set(), []), moment


def facts(found: list[str]) -> set[str]:
    """Take the rules apart: firewalld adds what was removed at the end of a chain."""
    return {line for fact in found for line in fact.splitlines()}


def test_drift_is_seen_and_mended(guest: Guest, tool: Tool) -> None:
    portward(guest, "apply", *ROLE, "--through", tool.name, "--yes")
    portward(guest, "confirm")
    for drift in (
        ("ufw", "allow", "8000/tcp") if tool is UFW else ("firewall-cmd", "--add-port=8000/tcp"),
        ("iptables", "-I", "ufw-user-input", "-j", "ACCEPT")
        if tool is UFW
        else ("firewall-cmd", "--permanent", "--add-port=8000/tcp"),
    ):
        guest.run(*drift)
        portward(guest, "apply", *ROLE, "--yes")
        portward(guest, "confirm")
        assert set(scan(guest.address, "-p22,80,5432,8000,9100")) == OPEN
        portward(guest, "plan", *ROLE, expect=0)


def test_the_two_ways_take_each_others_place(guest: Guest, tool: Tool) -> None:
    portward(guest, "apply", *ROLE, "--through", tool.name, "--yes")
    portward(guest, "confirm")
    after = state(guest)
    portward(guest, "apply", *ROLE, "--through", "portward", "--yes")
    portward(guest, "confirm")
    assert "inet portward" in guest.run("nft", "list", "tables").stdout
    assert set(scan(guest.address, "-p22,80,5432,8000,9100")) == OPEN
    said = portward(guest, "plan", *ROLE, "--through", tool.name, expect=1)
    assert f"{tool.name} is not active here" in " ".join(said.split())
    # Somebody starts it beside portward's table, and lets it be in charge again.
    guest.run(*(("ufw", "--force", "enable") if tool is UFW else ("systemctl", "start", tool.name)))
    guest.wait_for("bash", "-c", f"nft list ruleset | grep -q {tool.name}")
    portward(guest, "apply", *ROLE, "--through", tool.name, "--yes")
    assert "portward" not in guest.run("nft", "list", "tables").stdout
    assert not (guest.tree / "etc/portward/firewall.nft").exists()
    assert set(scan(guest.address, "-p22,80,5432,8000,9100")) == OPEN
    portward(guest, "rollback")
    assert "inet portward" in guest.run("nft", "list", "tables").stdout
    portward(guest, "rollback")
    assert differences(after, state(guest)) == []


EVERY_FORM = """\
roles = ["web-server"]
[networks]
office = ["192.0.2.0/24", "198.51.100.1", "2001:db8::/32", "2001:db8:ffff::1"]
[[allow]]
port = "9000-9010/udp"
from = "office"
reason = "a range, for networks and single hosts"
[[allow]]
port = "1000-1003/tcp"
from = ["2001:db8:1::/48"]
reason = "IPv6 alone"
[[allow]]
port = "50/raw"
from = "any"
reason = "ESP"
[[allow]]
port = "47/raw"
from = "any"
reason = "GRE"
[[allow]]
port = "112/raw"
from = ["10.0.0.0/8"]
reason = "VRRP"
[[allow]]
port = "445/tcp"
from = "any"
reason = "files; but never to the internet"
"""


def test_every_form_of_rule_stands_as_it_was_foreseen(guest: Guest, tool: Tool) -> None:
    guest.run("ip", "addr", "add", "9.9.9.5/24", "dev", "eth0")  # so it faces the internet
    files = ("systemd-run", "--quiet", "--unit=files", "python3", "/root/answering.py", "445/tcp")
    guest.run(*files)
    (guest.tree / "root/policy.toml").write_text(EVERY_FORM)
    meant = ("--policy", "/root/policy.toml")
    portward(guest, "apply", *meant, "--through", tool.name, "--yes")
    portward(guest, "confirm")
    said = portward(guest, "plan", *meant, expect=0)
    assert "NetBIOS and SMB" in said
    assert set(scan(guest.address, "-p22,80,445,5432,8000,9100")) == OPEN
    listed = guest.run(*tool.after).stdout
    assert "9000:9010/udp" in listed or 'port="9000-9010" protocol="udp"' in listed


def test_ports_that_docker_publishes_are_said_to_go_past_it(guest: Guest, tool: Tool) -> None:
    guest.allow_containers()
    guest.run("mkdir", "-p", "/root/box/bin")
    guest.run("cp", "/bin/busybox", "/root/box/bin/")
    guest.run("tar", "-C", "/root/box", "-cf", "/root/box.tar", ".")
    guest.run("docker", "import", "/root/box.tar", "box")
    publish = ("-d", "--name", "shop", "-p", "8080:80")
    guest.run("docker", "run", *publish, "box", "/bin/busybox", "httpd", "-f", "-p", "80")
    guest.wait_for("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080")
    try:
        words = ("--role", "web-server", "--role", "container-host", "--through", tool.name)
        said = " ".join(portward(guest, "plan", *words, expect=1).split())
        assert "8080/tcp would stay open to everyone" in said
        assert f"Ports that containers publish go past {tool.name}" in said

        allowed = 'roles = ["web-server", "container-host"]\n[[allow]]\nport = "8080/tcp"\n'
        allowed += 'from = "any"\nreason = "the shop"\n'
        (guest.tree / "root/policy.toml").write_text(allowed)
        meant = ("--policy", "/root/policy.toml", "--through", tool.name)
        portward(guest, "apply", *meant, "--yes")
        portward(guest, "confirm")
        found = scan(guest.address, "-p22,80,5432,8000,8080,9100")
        assert set(found) == {*OPEN, 8080}
        fetched = subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-m", "5", f"http://{guest.address}:8080/"],
            check=False,
        )
        assert fetched.returncode == 0
        portward(guest, "rollback")
    finally:
        guest.run("docker", "rm", "-f", "shop", check=False)
