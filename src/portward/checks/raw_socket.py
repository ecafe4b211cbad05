"""Raw or packet socket of a program that is no known network tool.

Why it matters
    Such a socket sees packets before the firewall does. Sniffers collect passwords with it, and
    backdoors of the BPFDoor kind wait with it for one magic packet, without any open port.

How it is found
    Every raw and packet socket is listed with its holder. Holders from packages that are known to
    need one (DHCP clients, network managers, capture and routing programs) pass, also under a
    role whose business it is. A packet socket with a BPF program, held by a program of no
    package, is the very sign of BPFDoor.

Remedy
    Find out who started the program. If it is unknown, save it from /proc/PID/exe before it is
    stopped, and examine the machine.

False positives
    Monitoring tools and VPN software that the list does not know; then the policy's exception or
    a suppression with its reason settles it.
"""

from collections.abc import Iterator

from portward.advice.groups import Group, grouped_by_program
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.host import Process
from portward.model.net import Protocol
from portward.model.status import Exposure

ID = "raw-socket"

_NAMES = """
dhclient dhcpcd dhcpd kea-dhcp4 udhcpc dnsmasq pppd pppoe NetworkManager systemd-networkd
systemd-resolved wicked connmand iwd wpa_supplicant hostapd radvd ndppd lldpd lldpad ladvd
tcpdump tshark dumpcap wireshark arpwatch arping suricata snort zeek ntopng netsniff-ng
keepalived ucarp zebra bgpd ospfd ospf6d isisd ripd ripngd pimd pim6d eigrpd nhrpd vrrpd fabricd
ldpd bfdd babeld bird bird6 ping ping6 fping mtr-packet mtr traceroute smokeping nmap arp-scan
charon starter pluto openvpn tailscaled xl2tpd avahi-autoipd qemu-system-x86_64 smcroute igmpproxy
rdisc6 ptp4l prometheus-blackbox-exporter
"""
_TOOLS = frozenset(_NAMES.split())
"""File names of programs whose packages say that they use such sockets."""


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each holder of raw or packet sockets that is no known tool."""
    captures = any(role.captures for role in case.policy.roles)
    for group in grouped_by_program(one for one in case.exposures if _is_mine(one)):
        allowed = captures or group.exposures[0].allowance or _name(group) in _TOOLS
        if group.first.package is None or not allowed:
            yield _finding(group)


def _is_mine(exposure: Exposure) -> bool:
    listener = exposure.listener
    return (
        listener.protocol in {Protocol.RAW, Protocol.PACKET}
        and isinstance(listener.process, Process | None)
        and listener.container is None
    )


def _name(group: Group) -> str:
    process = group.first.process
    exe = process.exe if isinstance(process, Process) else None
    return exe.rpartition("/")[2] if isinstance(exe, str) else ""


def _finding(group: Group) -> Finding:
    foreign = group.first.package is None
    filtered = any(
        one.listener.filtered and one.listener.protocol == Protocol.PACKET
        for one in group.exposures
    )
    if foreign and filtered:
        severity = Severity.CRITICAL
    else:
        severity = Severity.HIGH if foreign else Severity.MEDIUM
    process = group.first.process
    pid = process.pid if isinstance(process, Process) else None
    return Finding(
        check=ID,
        subject=group.subject,
        severity=severity,
        confidence=Confidence.POSSIBLE,
        title=f"{group.owner} holds {_kinds(group)} and is no known network tool",
        why="A packet socket with a filter in an unknown program is how BPFDoor waits for its"
        " magic packet, with no open port to see."
        if filtered
        else "It sees or forges packets past the firewall, which hardly any program needs.",
        evidence=group.evidence
        + ((Evidence("a BPF program filters what it receives", "sock_diag"),) if filtered else ()),
        remedy=Remedy(
            summary="Find out who started it. If nobody knows, save the program, then stop it and"
            " examine the machine.",
            commands=(f"cp /proc/{pid}/exe /root/portward-evidence-{pid}",) if pid else (),
        ),
        listener=group.first,
    )


def _kinds(group: Group) -> str:
    kinds = dict.fromkeys(f"a {one.listener.protocol} socket" for one in group.exposures)
    return " and ".join(kinds)
