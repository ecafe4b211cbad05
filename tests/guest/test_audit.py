"""The whole of portward on a Debian with many services, from a fresh clone, by its own launcher."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from guest.conftest import OFFLINE
from guest.machine import Guest

pytestmark = [pytest.mark.guest, pytest.mark.root]

Json = dict[str, Any]

# service: (port, program, unit, package, a word that the remedy must have)
WRONG = {
    "postgresql": (5432, "postgres", "postgresql@15-main.service", "postgresql-15", "postgresql"),
    "telnet": (23, "inetutils-inetd", "inetutils-inetd.service", "inetutils-inetd", "inetd.conf"),
    "rpcbind": (111, "rpcbind", "rpcbind.socket", "rpcbind", "rpcbind.socket"),
    "mdns": (5353, "avahi-daemon", "avahi-daemon.service", "avahi-daemon", "avahi-daemon.socket"),
    "ipp": (631, "cupsd", "cups.service", "cups-daemon", "cups.socket"),
    "smb": (445, "smbd", "smbd.service", "samba", "smbd"),
    "netbios-ns": (137, "nmbd", "nmbd.service", "samba", "nmbd"),
    "snmp": (161, "snmpd", "snmpd.service", "snmpd", "snmpd"),
    "smtp": (25, "exim4", "exim4.service", "exim4-daemon-light", "exim4"),
}

OPEN = "is open to everyone, and no role needs it"
LOCAL = "serves only this host, and no role needs it"
AVAHI = "5353/udp, RANDOM/udp, RANDOM/udp"
EXPECTED = sorted(
    [
        f"critical open-not-allowed: Telnet (23/tcp) {OPEN}",
        "high cleartext-service: Telnet (23/tcp) sends passwords, everything typed in the clear",
        f"high open-not-allowed: PostgreSQL (5432/tcp) {OPEN}",
        f"info open-not-allowed: Mail transfer (SMTP) (25/tcp) {LOCAL}",
        f"info open-not-allowed: Printing (CUPS, IPP) (631/tcp) {LOCAL}",
        f"info open-not-allowed: containerd streaming (exec and attach) (RANDOM/tcp) {LOCAL}",
        (
            "low cleartext-service: Web (HTTP) (80/tcp) sends passwords, session cookies,"
            " page contents in the clear"
        ),
        (
            "low unneeded-enabled: Active Directory calls (MS-RPC) (samba-ad-dc.service) starts at"
            " boot, and no role needs it"
        ),
        (
            "low unneeded-installed: Line printer daemon (LPD) (cups) is installed, and no role"
            " needs it"
        ),
        (
            "low wider-than-allowed: SSH (22/tcp) is open to everyone, but allowed only for private"
            " networks"
        ),
        "medium automatic-updates: Security updates are not installed automatically",
        f"medium open-not-allowed: Multicast DNS (Avahi) ({AVAHI}) {OPEN}",
        f"medium open-not-allowed: NetBIOS names, NetBIOS datagrams (137/udp, 138/udp) {OPEN}",
        (
            "medium open-not-allowed: NetBIOS sessions (SMB over NetBIOS), Windows file sharing"
            f" (SMB) (139/tcp, 445/tcp) {OPEN}"
        ),
        f"medium open-not-allowed: RPC port mapper (rpcbind) (111/tcp, 111/udp) {OPEN}",
        f"medium open-not-allowed: SNMP agent (161/udp) {OPEN}",
        "medium published-port: Container shop publishes 8080/tcp to everyone",
    ]
)
"""Everything that is wrong with the showcase, and nothing else."""


def portward(guest: Guest, *words: str, expect: int) -> str:
    result = guest.run("/root/portward/portward", *words, check=False, env=OFFLINE)
    assert result.returncode == expect, result.stderr + result.stdout
    assert not result.stderr or "making" in result.stderr, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def status(showcase: Guest) -> Json:
    words = ("status", "--role", "web-server", "--format", "json")
    answer: Json = json.loads(portward(showcase, *words, expect=0))
    return answer


@pytest.fixture(scope="module")
def audit(showcase: Guest) -> Json:
    words = ("audit", "--role", "web-server", "--format", "json")
    answer: Json = json.loads(portward(showcase, *words, expect=1))
    return answer


def listeners_at(status: Json, port: int) -> list[Json]:
    return [row for row in status["listeners"] if row["port"] == port]


@pytest.mark.parametrize("service", WRONG)
def test_every_unneeded_service_has_its_owner(status: Json, service: str) -> None:
    port, program, unit, package, _ = WRONG[service]
    rows = listeners_at(status, port)
    assert rows
    for row in rows:
        assert row["service"] == service
        assert row["process"]["exe"].rpartition("/")[2] == program
        assert row["unit"] == unit
        assert row["package"] == package
        assert row["container"] is None
        assert row["verdict"] in {"not allowed", "local"}


@pytest.mark.parametrize("service", WRONG)
def test_every_unneeded_service_is_a_finding_with_its_remedy(audit: Json, service: str) -> None:
    port, _, _, _, word = WRONG[service]
    found = [
        finding
        for finding in audit["findings"]
        if finding["check"] == "open-not-allowed"
        # not the end of a longer number: avahi's ports are random
        and re.search(rf"\b{port}/", json.dumps(finding))
    ]
    assert len(found) == 1, [finding["title"] for finding in found]
    assert word in json.dumps(found[0]["remedy"])


def test_a_port_of_a_socket_unit_names_the_socket_and_what_it_starts(status: Json) -> None:
    for row in listeners_at(status, 22):
        assert row["service"] == "ssh"
        assert row["unit"] == "ssh.socket"
        assert row["activates"] == "ssh.service"
        assert row["process"]["pid"] == 1
        assert row["package"] == "openssh-server"


def test_a_published_port_names_its_container(status: Json, audit: Json) -> None:
    rows = listeners_at(status, 8080)
    assert {row["container"] for row in rows} == {"shop"}
    assert any(
        finding["check"] == "published-port" and "shop" in finding["title"]
        for finding in audit["findings"]
    )
    inside = [row for row in listeners_at(status, 80) if row["namespace"] != "host"]
    assert [row["container"] for row in inside] == ["shop"]
    assert inside[0]["process"]["exe"] == "/bin/busybox"


def test_nothing_is_named_that_is_not_there(showcase: Guest, status: Json, audit: Json) -> None:
    seen_by_ss = set()
    for line in showcase.run("ss", "-Htuln").stdout.splitlines():
        words = line.split()
        seen_by_ss.add((words[0], int(words[4].rpartition(":")[2])))
    host = [row for row in status["listeners"] if row["namespace"] == "host"]
    assert {
        (row["protocol"], row["port"]) for row in host if row["protocol"] in {"tcp", "udp"}
    } == seen_by_ss
    for finding in audit["findings"]:
        listener = finding["listener"]
        if listener and listener["namespace"] == "host" and listener["protocol"] in {"tcp", "udp"}:
            assert (listener["protocol"], listener["port"]) in seen_by_ss
    titles = [f"{row['severity']} {row['check']}: {row['title']}" for row in audit["findings"]]
    assert sorted(re.sub(r"\b[3-6]\d{4}/", "RANDOM/", title) for title in titles) == EXPECTED


def test_what_the_role_needs_is_no_finding(status: Json, audit: Json) -> None:
    assert {row["verdict"] for row in listeners_at(status, 80) if row["namespace"] == "host"} == {
        "allowed"
    }
    closing = [row for row in audit["findings"] if row["check"] == "open-not-allowed"]
    assert not any("nginx" in json.dumps(finding["remedy"]) for finding in closing)


def test_without_root_it_says_unknown_never_none(showcase: Guest) -> None:
    showcase.run("chmod", "755", "/root")
    user = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups")
    words = ("/root/portward/portward", "status", "--role", "web-server", "--format", "json")
    answer = json.loads(showcase.run(*user, *words).stdout)
    row = listeners_at(answer, 445)[0]
    assert row["process"] == {"unknown": "needs root"}
    assert any("root" in gap for gap in answer["gaps"])


def test_a_snapshot_is_judged_the_same_elsewhere(showcase: Guest, audit: Json) -> None:
    portward(showcase, "snapshot", "--output", "/root/taken.json", expect=0)
    assert (showcase.tree / "root/taken.json").stat().st_mode & 0o777 == 0o600
    words = ("audit", "--role", "web-server", "--format", "json")
    again = json.loads(portward(showcase, *words, "--snapshot", "/root/taken.json", expect=1))
    assert [row["id"] for row in again["findings"]] == [row["id"] for row in audit["findings"]]


def test_a_host_with_nothing_wrong_gets_a_clean_bill(tidy: Guest) -> None:
    text = portward(tidy, "audit", "--role", "web-server", expect=0)
    assert "Nothing" in text
    answer = json.loads(
        portward(tidy, "audit", "--role", "web-server", "--format", "json", expect=0)
    )
    assert answer["findings"] == []
    assert answer["undecided"] == []


def test_an_image_that_never_booted_is_surveyed_by_its_files(showcase: Guest) -> None:
    launcher = Path(__file__).parents[2] / "portward"
    words = ("audit", "--role", "web-server", "--format", "json", "--root", showcase.root)
    result = subprocess.run([launcher, *words], capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stderr
    answer = json.loads(result.stdout)
    starting = [row for row in answer["findings"] if row["check"] == "unneeded-enabled"]
    for unit in ("avahi-daemon.service", "cups.service", "smbd.service", "snmpd.service"):
        assert any(unit in json.dumps(row["remedy"]) for row in starting), unit
    assert not any("nginx" in json.dumps(row["remedy"]) for row in starting)


def test_status_and_audit_take_the_machine_for_the_same(showcase: Guest) -> None:
    answers = {
        command: json.loads(portward(showcase, command, "--format", "json", expect=exit_status))
        for command, exit_status in (("status", 0), ("audit", 1))
    }
    assert answers["status"]["policy"] == answers["audit"]["policy"]
    assert "container-host" in answers["status"]["policy"]["roles"]


def test_what_runs_is_what_systemd_says(showcase: Guest) -> None:
    portward(showcase, "snapshot", "--force", "--output", "/root/taken.json", expect=0)
    taken = json.loads((showcase.tree / "root/taken.json").read_text())
    command = ("systemctl", "list-units", "--type=service", "--state=active,reloading")
    shown = showcase.run(*command, "--plain", "--no-legend", "--no-pager").stdout
    assert sorted(taken["running"]) == sorted(line.split()[0] for line in shown.splitlines())
