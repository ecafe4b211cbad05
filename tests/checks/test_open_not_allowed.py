from typing import Any

import pytest

import build
from portward.checks.open_not_allowed import check
from portward.model.finding import Confidence, Finding, Severity
from portward.model.host import InetdLine
from portward.model.net import Protocol
from portward.model.service import Audience, Bind, Encryption
from portward.model.status import Exposure, Scope, Verdict

TELNET = build.service(
    "telnet",
    "23/tcp",
    encryption=Encryption.NONE,
    secrets=("passwords",),
    audience=Audience.NOBODY,
)
SMB = build.service("smb", "445/tcp", "139/tcp")
AVAHI = build.service("mdns", "5353/udp")
HTTP = build.service("http", "80/tcp", encryption=Encryption.NONE, audience=Audience.ANYONE)
SSH = build.service("ssh", "22/tcp")


def of(unit: str, package: str, port: str, address: str = "0.0.0.0", **facts: Any) -> Any:
    return build.listener(
        port, address, unit=unit, package=package, exe=f"/usr/sbin/{package}", **facts
    )


def findings(*exposures: Exposure, **facts: Any) -> list[Finding]:
    return [one for one in check(build.case(*exposures, **facts)) if isinstance(one, Finding)]


def test_samba_is_one_finding_with_all_its_sockets() -> None:
    sockets = [
        build.exposure(of("smbd.service", "samba", port, address), SMB)
        for port in ("445/tcp", "139/tcp")
        for address in ("0.0.0.0", "::")
    ]
    (finding,) = findings(*sockets)
    assert finding.subject == "139/tcp, 445/tcp smb (samba)"
    assert sum("listens on" in fact.text for fact in finding.evidence) == 4


def test_random_ports_belong_to_the_finding_but_not_to_its_id() -> None:
    known = build.exposure(of("avahi-daemon.service", "avahi-daemon", "5353/udp"), AVAHI)
    subjects = set()
    for port in ("40001/udp", "51234/udp"):
        random = build.exposure(of("avahi-daemon.service", "avahi-daemon", port))
        (finding,) = findings(known, random)
        subjects.add(finding.subject)
        assert port in str(finding.evidence)
    assert subjects == {"5353/udp mdns (avahi-daemon)"}


@pytest.mark.parametrize(
    ("service", "scope", "severity", "confidence"),
    [
        (TELNET, Scope.EVERYONE, Severity.CRITICAL, Confidence.CERTAIN),
        (TELNET, Scope.UNKNOWN, Severity.CRITICAL, Confidence.LIKELY),
        (TELNET, Scope.NETWORKS, Severity.HIGH, Confidence.CERTAIN),
        (SMB, Scope.EVERYONE, Severity.MEDIUM, Confidence.CERTAIN),
        (SMB, Scope.NETWORKS, Severity.LOW, Confidence.CERTAIN),
        (None, Scope.EVERYONE, Severity.MEDIUM, Confidence.CERTAIN),
        (SMB, Scope.HOST, Severity.INFO, Confidence.CERTAIN),
        (TELNET, Scope.HOST, Severity.LOW, Confidence.CERTAIN),
        (SMB, Scope.NOBODY, Severity.INFO, Confidence.CERTAIN),
    ],
)
def test_severity(service: Any, scope: Scope, severity: Severity, confidence: Confidence) -> None:
    (finding,) = findings(build.exposure(of("x.service", "x", "23/tcp"), service, scope=scope))
    assert (finding.severity, finding.confidence) == (severity, confidence)


def test_behind_a_firewall_it_is_needless_and_the_rule_is_named() -> None:
    (finding,) = findings(
        build.exposure(of("smbd.service", "samba", "445/tcp"), SMB, scope=Scope.NOBODY)
    )
    assert finding.title.endswith("listens, the firewall keeps everyone out, and no role needs it")
    assert any(
        (one.text, one.where) == ("eth0 keeps out: drop", "inet filter input, handle 7")
        for one in finding.evidence
    )


def test_what_everyone_reaches_names_rule_and_interface() -> None:
    (finding,) = findings(build.exposure(of("smbd.service", "samba", "445/tcp"), SMB))
    assert "eth0 lets in: tcp dport 80 accept" in [one.text for one in finding.evidence]


def test_a_client_that_waits_for_an_answer_is_no_fault() -> None:
    (finding,) = findings(build.exposure(of("rsyslog.service", "rsyslog", "45000/udp")))
    assert finding.severity == Severity.INFO


@pytest.mark.parametrize(
    "exposure",
    [
        build.exposure(of("a", "a", "3000/tcp", "127.0.0.1"), scope=Scope.HOST),
        build.exposure(of("a", "a", "45000/udp"), scope=Scope.NOBODY),
        build.exposure(of("a", "a", "80/tcp"), allowance=build.allowance("80/tcp")),
        build.exposure(of("a", "a", "68/udp"), build.service("dhcp-client", essential=True)),
        build.exposure(of("a", "a", "3/packet", "", protocol=Protocol.PACKET)),
        build.exposure(of("a", "a", "80/tcp", namespace="blue")),
    ],
    ids=[
        "unknown on this host only",
        "unknown behind a firewall",
        "allowed",
        "essential",
        "packet socket",
        "another namespace",
    ],
)
def test_not_its_business(exposure: Exposure) -> None:
    assert findings(exposure) == []


def test_a_unit_is_stopped_with_what_would_start_it_again() -> None:
    (finding,) = findings(
        build.exposure(of("avahi-daemon.service", "avahi-daemon", "5353/udp"), AVAHI),
        units=(build.unit("avahi-daemon.service", triggered_by=("avahi-daemon.socket",)),),
        packages=(build.package("avahi-daemon"),),
    )
    assert finding.remedy.commands == (
        "systemctl disable --now avahi-daemon.service avahi-daemon.socket",
    )
    assert "apt purge avahi-daemon" in finding.remedy.summary


def test_an_instance_is_stopped_with_the_unit_that_starts_it() -> None:
    name = "postgresql@15-main.service"
    (finding,) = findings(
        build.exposure(of(name, "postgresql-15", "5432/tcp"), SMB),
        units=(build.unit(name), build.unit("postgresql.service")),
    )
    assert finding.remedy.commands == (f"systemctl disable --now {name} postgresql.service",)


def test_a_static_unit_is_masked() -> None:
    (finding,) = findings(
        build.exposure(of("nmbd.service", "samba", "137/udp"), SMB),
        units=(build.unit("nmbd.service", state="static"),),
    )
    assert finding.remedy.commands == ("systemctl mask --now nmbd.service",)


def test_a_socket_unit_goes_with_its_service() -> None:
    cups = build.listener(
        "631/tcp", unit="cups.socket", activates="cups.service", package="cups-daemon"
    )
    (finding,) = findings(build.exposure(cups, build.service("ipp", "631/tcp")))
    assert finding.remedy.commands == ("systemctl disable --now cups.service cups.socket",)


def test_fedora_removes_with_dnf() -> None:
    (finding,) = findings(
        build.exposure(of("smb.service", "samba", "445/tcp"), SMB),
        machine=build.machine(os_id="rocky", os_like=("rhel", "centos", "fedora")),
        packages=(build.package("samba"),),
    )
    assert "dnf remove samba" in finding.remedy.summary


def test_inetd_loses_one_line_only() -> None:
    line = InetdLine(
        file="/etc/inetd.conf",
        line=7,
        service="telnet",
        protocol=Protocol.TCP,
        port=23,
        user="telnetd",
        program="/usr/sbin/telnetd",
        package="inetutils-telnetd",
    )
    socket = of("inetutils-inetd.service", "inetutils-inetd", "23/tcp", inetd=line)
    (finding,) = findings(
        build.exposure(socket, TELNET),
        packages=(build.package("update-inetd"),),
        units=(build.unit("inetutils-inetd.service"),),
    )
    assert finding.subject == "23/tcp telnet (inetutils-telnetd)"
    assert "line 7 of /etc/inetd.conf" in finding.remedy.summary
    assert finding.remedy.commands == (
        "update-inetd --disable telnet",
        "systemctl reload inetutils-inetd.service",
    )


def test_no_advice_stops_ssh() -> None:
    (finding,) = findings(build.exposure(build.listener("22/tcp"), SSH))
    assert finding.remedy.commands == ()
    assert finding.remedy.caution


def test_a_unit_that_also_serves_an_allowed_port_keeps_running() -> None:
    wanted = build.exposure(
        of("nginx.service", "nginx", "443/tcp"),
        HTTP,
        allowance=build.allowance("443/tcp"),
        verdict=Verdict.ALLOWED,
    )
    (finding,) = findings(wanted, build.exposure(of("nginx.service", "nginx", "8080/tcp"), HTTP))
    assert finding.remedy.commands == ()
    assert "443/tcp" in finding.remedy.summary


def test_a_bind_setting_is_offered() -> None:
    bound = build.service(
        "snmp",
        "161/udp",
        bind=(
            Bind(program="snmpd", file="/etc/snmp/snmpd.conf", setting="agentAddress {address}"),
        ),
    )
    (finding,) = findings(build.exposure(of("snmpd.service", "snmpd", "161/udp"), bound))
    assert '"agentAddress 127.0.0.1" in /etc/snmp/snmpd.conf' in finding.remedy.summary


def test_a_program_of_nobody_gets_no_command() -> None:
    exe = "/home/eve/server"
    (finding,) = findings(
        build.exposure(build.listener("4444/tcp", exe=exe, unit=None, package=None))
    )
    assert finding.subject == f"4444/tcp ({exe})"
    assert finding.remedy.commands == ()


def test_the_title_names_the_most_open_ports_and_the_subject_all() -> None:
    shut = build.exposure(of("rpcbind.socket", "rpcbind", "111/tcp"), SMB, scope=Scope.NOBODY)
    wide = build.exposure(of("rpcbind.socket", "rpcbind", "111/udp"), SMB)
    (finding,) = findings(shut, wide)
    assert finding.title.startswith("SMB (111/udp) is open to everyone")
    assert "111/tcp, 111/udp" in finding.subject


def test_every_program_of_a_unit_is_named() -> None:
    sockets = [
        build.listener(port, exe=exe, unit="app.service", package=None)
        for port, exe in (("80/tcp", "/opt/a"), ("81/tcp", "/opt/b"), ("82/tcp", "/opt/a"))
    ]
    (finding,) = findings(*map(build.exposure, sockets))
    assert finding.subject == "80/tcp, 81/tcp, 82/tcp (/opt/a, /opt/b)"
    assert finding.title.startswith("/opt/a, /opt/b (80/tcp, 81/tcp, 82/tcp)")
