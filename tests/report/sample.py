"""A machine with everything that a report must be able to write, nasty names included."""

from datetime import timedelta
from typing import Any

import build
from portward.model.case import Case
from portward.model.explanation import Explanation, Section
from portward.model.finding import (
    Audit,
    Confidence,
    Evidence,
    Finding,
    Remedy,
    Severity,
    Suppressed,
    Undecided,
)
from portward.model.host import Container, ExeState, InetdLine, Kernel, Namespace, Sight
from portward.model.net import Family, Protocol
from portward.model.policy import Suppression
from portward.model.service import Encryption
from portward.model.status import Basis, Exposure, Reach, Recognition, Scope, Verdict
from portward.model.unknown import NEEDS_ROOT, Unknown

ESCAPE = "\x1b]0;owned\x07\x1b[2J"

SSH = build.service("ssh", "22/tcp")
HTTP = build.service("http", "80/tcp")
TELNET = build.service("telnet", "23/tcp", encryption=Encryption.NONE)
POSTGRESQL = build.service("postgresql", "5432/tcp")
DNS = build.service("dns", "53/udp")
NFS = build.service("nfs", "2049/tcp")

WEB = build.allowance("80/tcp", "443/tcp")

INETD = InetdLine(
    file="/etc/inetd.conf",
    line=12,
    service="telnet",
    protocol=Protocol.TCP,
    port=23,
    user="root",
    program="/usr/sbin/in.telnetd",
    package="inetutils-telnetd",
)


def _unknown_reach(port: str) -> Exposure:
    seen = build.exposure(
        build.listener(port, process=NEEDS_ROOT, unit=NEEDS_ROOT, package=NEEDS_ROOT)
    )
    return Exposure(
        listener=seen.listener,
        recognition=None,
        reach=Reach(scope=Scope.UNKNOWN, reason="the firewall's rules could not be read as a user"),
        verdict=Verdict.NOT_ALLOWED,
        allowance=None,
    )


def exposures() -> tuple[Exposure, ...]:
    """Every kind of owner, address, reach and verdict."""
    nginx = {"unit": "nginx.service", "package": "nginx"}
    worker = build.process("/usr/sbin/nginx", pid=812, sharers=(813, 814))
    telnetd: dict[str, Any] = {
        "process": build.process("/usr/sbin/inetd", pid=640),
        "unit": "inetd.service",
        "package": "inetutils-inetd",
        "inetd": INETD,
    }
    miner = build.process(
        "/tmp/.x/kworker",
        pid=6666,
        name="kworker/0:1",
        exe_state=ExeState.DELETED,
        cmdline=("/tmp/.x/kworker", "--pool", ESCAPE),
        uid=33,
        user="www-data",
    )
    app = build.process(
        "/usr/bin/python3.11", pid=901, cmdline=("/usr/bin/python3.11", "/srv/a b/app.py")
    )
    ftp: dict[str, Any] = {
        "process": build.process("/usr/sbin/pasv-ftpd", pid=777),
        "unit": "ftpd.service",
        "package": None,
    }
    private = Reach(
        scope=Scope.NETWORKS,
        reason="the firewall accepts it from these",
        networks=("10.0.0.0/8", "192.168.0.0/16", "fd00::/8"),
    )
    database = build.listener(
        "5432/tcp",
        exe="/usr/lib/postgresql/15/bin/postgres",
        unit="postgresql@15-main.service",
        package="postgresql-15",
    )
    redis = build.listener(
        "6379/tcp",
        exe="/usr/bin/redis-server",
        unit="docker.service",
        package=None,
        container="données-写真-cache",
        namespace="données-写真-cache",
    )
    return (
        build.exposure(
            build.listener("80/tcp", process=worker, **nginx),
            HTTP,
            verdict=Verdict.ALLOWED,
            allowance=WEB,
        ),
        build.exposure(
            build.listener("80/tcp", "::", process=worker, **nginx),
            HTTP,
            verdict=Verdict.ALLOWED,
            allowance=WEB,
        ),
        build.exposure(build.listener("23/tcp", **telnetd), TELNET, basis=Basis.INETD),
        Exposure(
            listener=database,
            recognition=Recognition(service=POSTGRESQL, basis=Basis.PROGRAM, usual_port=True),
            reach=private,
            verdict=Verdict.NOT_ALLOWED,
            allowance=None,
        ),
        build.exposure(
            build.listener(
                "22/tcp",
                "::",
                family=Family.DUAL,
                process=build.process("/usr/lib/systemd/systemd", pid=1),
                unit="ssh.socket",
                activates="ssh.service",
            ),
            SSH,
        ),
        build.exposure(build.listener("31337/tcp", process=miner, unit=None, package=None)),
        build.exposure(build.listener("8080/tcp", process=app, unit="app.service", package=None)),
        build.exposure(
            build.listener("2049/tcp", process=Kernel(name="nfsd"), unit=None, package=None),
            NFS,
            basis=Basis.KERNEL,
        ),
        build.exposure(
            build.listener(
                "53/udp", "127.0.0.53", device="lo", exe="/usr/lib/systemd/systemd-resolved"
            ),
            DNS,
            scope=Scope.HOST,
            verdict=Verdict.LOCAL,
        ),
        build.exposure(
            build.listener("546/udp", "fe80::1", device="eth0", exe="/usr/sbin/dhclient")
        ),
        build.exposure(redis, scope=Scope.HOST, verdict=Verdict.LOCAL),
        build.exposure(
            build.listener(
                "1/raw",
                exe="/usr/bin/" + "very-long-program-name-" * 5,
                unit=f"evil{ESCAPE}.service",
            )
        ),
        build.exposure(
            build.listener(
                "3/packet", "", device="eth0", process=None, unit=None, package=None, uid=1000
            )
        ),
        _unknown_reach("111/tcp"),
        _unknown_reach("9/udp"),
        *(build.exposure(build.listener(f"{port}/tcp", **ftp)) for port in range(20000, 20005)),
    )


def case() -> Case:
    """Return the machine as ``portward status`` judges it."""
    return build.case(
        *exposures(),
        sight=Sight(
            root="/",
            euid=1000,
            owners_by="proc",
            gaps=(
                "Owners of 2 sockets are unknown: their processes belong to other users.",
                "The ruleset could not be read: it needs root.",
            ),
        ),
        namespaces=(
            Namespace(name="host", inode=1, container=None, sockets=20),
            Namespace(name="données-写真-cache", inode=2, container="c", sockets=1),
        ),
        containers=(
            Container(
                name="données-写真-cache", id="c" * 64, engine="docker", image="redis", published=()
            ),
        ),
        port_names={"111/tcp": "sunrpc", "9/udp": "discard", "8080/tcp": "http-alt"},
        policy=build.policy(WEB, recognised=True, source=""),
    )


def quiet_case() -> Case:
    """Return a machine on which all is well."""
    return build.case(
        build.exposure(
            build.listener("80/tcp", exe="/usr/sbin/nginx", unit="nginx.service", package="nginx"),
            HTTP,
            verdict=Verdict.ALLOWED,
            allowance=WEB,
        ),
        policy=build.policy(WEB),
    )


def findings() -> tuple[Finding, ...]:
    """One of each severity."""
    seen = case().exposures
    return (
        Finding(
            check="sample-hidden-executable",
            subject="31337/tcp /tmp/.x/kworker",
            severity=Severity.CRITICAL,
            confidence=Confidence.LIKELY,
            title="31337/tcp is held by a deleted program from /tmp",
            why="A program that removes its own file hides from inspection. Malware does this.",
            evidence=(
                Evidence(text=f"It shows the command line {ESCAPE}", where="/proc/6666/cmdline"),
                Evidence(text="The file /tmp/.x/kworker is gone.", where="/proc/6666/exe"),
            ),
            remedy=Remedy(
                summary="Keep a copy of the program, then stop it and look for how it came.",
                commands=("cp /proc/6666/exe /root/suspect", "kill 6666"),
                caution="Disconnect the machine first if it may hold secrets.",
            ),
            listener=seen[5].listener,
        ),
        Finding(
            check="sample-cleartext-service",
            subject="23/tcp telnet",
            severity=Severity.HIGH,
            confidence=Confidence.CERTAIN,
            title="telnet is open to everyone and sends passwords in the clear",
            why="Anyone on the path can read the passwords and take over the session.",
            evidence=(Evidence(text="inetd listens for in.telnetd.", where="/etc/inetd.conf:12"),),
            remedy=Remedy(
                summary="Remove the line from /etc/inetd.conf, and use SSH.",
                commands=(
                    "sed -i '12s/^/#/' /etc/inetd.conf",
                    "systemctl reload inetd.service",
                    "apt-get remove --purge inetutils-telnetd " + "a-very-long-name-" * 5,
                ),
            ),
            listener=seen[2].listener,
        ),
        Finding(
            check="sample-open-not-allowed",
            subject="5432/tcp postgresql",
            severity=Severity.MEDIUM,
            confidence=Confidence.CERTAIN,
            title="5432/tcp (postgresql) is open to 3 networks and no role allows it",
            why="The role web-server does not need a database that others can reach.",
            evidence=(Evidence(text="postgres listens on 0.0.0.0:5432.", where="sock_diag"),),
            remedy=Remedy(
                summary="Set listen_addresses = 'localhost' in postgresql.conf.",
                commands=("systemctl restart postgresql@15-main.service",),
                caution="Clients on other machines lose the database.",
            ),
            listener=seen[3].listener,
        ),
        Finding(
            check="sample-kernel-settings",
            subject="net.ipv4.conf.all.log_martians",
            severity=Severity.LOW,
            confidence=Confidence.CERTAIN,
            title="Packets with impossible addresses are not logged",
            why="A forged source address leaves no trace.",
            evidence=(Evidence(text="net.ipv4.conf.all.log_martians is 0."),),
            remedy=Remedy(
                summary="Write net.ipv4.conf.all.log_martians = 1 to /etc/sysctl.d/60-net.conf.",
                commands=("sysctl --system",),
            ),
        ),
        Finding(
            check="sample-updates-pending",
            subject="curl",
            severity=Severity.INFO,
            confidence=Confidence.CERTAIN,
            title="An update of curl <7.88> & friends is ready",
            why="It is not a security update.",
            evidence=(),
            remedy=Remedy(summary="Install it.", commands=("apt-get upgrade",)),
        ),
    )


def audit() -> Audit:
    """Return the machine with all its faults."""
    accepted = Finding(
        check="sample-open-not-allowed",
        subject="22/tcp ssh",
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        title="22/tcp (ssh) is open to everyone",
        why="Only administrators need it.",
        evidence=(),
        remedy=Remedy(summary="Allow it from your own network only."),
        listener=case().exposures[4].listener,
    )
    by = Suppression(
        finding=accepted.id,
        reason="until the VPN is ready",
        until=build.DAY + timedelta(days=30),
        origin="/etc/portward/policy.toml:9",
    )
    return Audit(
        case=case(),
        findings=findings(),
        suppressed=(Suppressed(finding=accepted, by=by),),
        undecided=(
            Undecided(
                check="sample-firewall-absent",
                subject="the firewall",
                reason="the ruleset could not be read, it needs root",
                mend="run as root",
            ),
            Undecided(
                check="sample-unowned-port",
                subject="111/tcp",
                reason="its owner is not known",
            ),
        ),
        checks=(
            "sample-cleartext-service",
            "sample-firewall-absent",
            "sample-hidden-executable",
            "sample-inetd-lines",
            "sample-kernel-settings",
            "sample-open-not-allowed",
            "sample-unowned-port",
            "sample-updates-pending",
        ),
    )


def quiet_audit() -> Audit:
    """Return a machine on which all is well, judged."""
    return Audit(
        case=quiet_case(),
        findings=(),
        suppressed=(),
        undecided=(),
        checks=("sample-cleartext-service", "sample-open-not-allowed"),
    )


def explanation() -> Explanation:
    """Return what is known of a port."""
    return Explanation(
        topic="137/udp",
        summary="NetBIOS name service: the telephone book of old Windows networks.",
        sections=(
            Section(
                heading="Why it is a risk",
                lines=(
                    "It tells anyone the names of machines and users, and can be used for floods.",
                    "- It has no authentication.",
                    f"- A nasty name: {ESCAPE}",
                ),
            ),
            Section(heading="What to use instead", lines=("DNS.",)),
        ),
    )


def blind_case() -> Case:
    """Return a machine whose open ports could not be listed."""
    return build.case(listeners=Unknown("sock_diag is not in this kernel"))


def empty_case() -> Case:
    """Return a machine without an open port."""
    return build.case()


def blind_audit() -> Audit:
    """Return the machine whose open ports could not be listed, judged."""
    return Audit(
        case=blind_case(),
        findings=(),
        suppressed=(),
        undecided=(
            Undecided(
                check="sample-open-not-allowed",
                subject="every port",
                reason="the open ports could not be listed",
            ),
        ),
        checks=("sample-open-not-allowed",),
    )
