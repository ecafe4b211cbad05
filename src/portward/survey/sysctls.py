"""Kernel settings: what they are now, and what they will be after a boot.

Two facts, since each fails in its own way: a value set by hand is gone tomorrow, and a line in
sysctl.d that nobody loaded protects nobody today.
"""

import os
from pathlib import Path

from portward.model.host import Sysctl
from portward.model.unknown import NEEDS_ROOT, NOT_RUNNING, NOT_SURVEYED, Maybe, Unknown
from portward.survey.files import canonical, decoded, exists, names, read_text
from portward.survey.shell import assignments
from portward.survey.sysctl_files import Assignment, dotted, outcome, parse, path_of

_LIVE = Path("/")

SETTINGS = {
    "kernel.kptr_restrict": "addresses of the kernel help who attacks it",
    "kernel.unprivileged_bpf_disabled": "an unprivileged BPF program attacks the kernel",
    "kernel.randomize_va_space": "exploits of network services need to know addresses",
    "net.bridge.bridge-nf-call-iptables": "whether the firewall sees bridged packets",
    "net.bridge.bridge-nf-call-ip6tables": "whether the firewall sees bridged packets",
    "net.core.bpf_jit_harden": "JIT spraying",
    "net.core.somaxconn": "length of accept queues",
    "net.ipv4.icmp_echo_ignore_all": "answers to ping",
    "net.ipv4.icmp_echo_ignore_broadcasts": "smurf amplification",
    "net.ipv4.icmp_ignore_bogus_error_responses": "flooding of the log",
    "net.ipv4.icmp_ratelimit": "how much it can be made to send",
    "net.ipv4.icmp_ratemask": "how much it can be made to send",
    "net.ipv4.ip_forward": "whether it passes packets on between networks",
    "net.ipv4.ip_local_port_range": "which ports clients of this host use",
    "net.ipv4.ip_local_reserved_ports": "which ports clients of this host never use",
    "net.ipv4.ip_nonlocal_bind": "a program may listen on an address that is not here yet",
    "net.ipv4.ip_unprivileged_port_start": "who may open a low port",
    "net.ipv4.ipfrag_high_thresh": "memory that fragments may take",
    "net.ipv4.ping_group_range": "who may open an ICMP socket",
    "net.ipv4.tcp_invalid_ratelimit": "loops of acknowledgements",
    "net.ipv4.tcp_max_syn_backlog": "SYN floods",
    "net.ipv4.tcp_rfc1337": "TIME-WAIT assassination",
    "net.ipv4.tcp_synack_retries": "SYN floods",
    "net.ipv4.tcp_syncookies": "SYN floods",
    "net.ipv4.tcp_timestamps": "must stay on: SYN cookies and PAWS need it",
    "net.ipv6.bindv6only": "whether [::] takes IPv4 as well",
    "net.ipv6.ip6frag_high_thresh": "memory that fragments may take",
    "net.netfilter.nf_conntrack_max": "a full table drops connections",
    "net.netfilter.nf_conntrack_tcp_loose": "mid-stream packets make a connection",
}
"""Keys of the whole machine, each with the reason to read it."""

INTERFACE_SETTINGS = {
    "net.ipv4.conf": {
        "accept_local": "packets that claim to come from this host",
        "accept_redirects": "ICMP redirects turn traffic to an attacker",
        "accept_source_route": "the sender chooses the way, past a firewall",
        "arp_announce": "ARP tells one network of another's addresses",
        "arp_filter": "ARP tells one network of another's addresses",
        "arp_ignore": "ARP tells one network of another's addresses",
        "bootp_relay": "packets from 0.0.0.0 are passed on",
        "drop_gratuitous_arp": "ARP spoofing",
        "forwarding": "whether it passes packets on between networks",
        "log_martians": "impossible sources are logged",
        "mc_forwarding": "whether it passes multicast on",
        "proxy_arp": "it answers for other hosts",
        "route_localnet": "services on 127.0.0.1 can be reached from outside",
        "rp_filter": "forged source addresses",
        "secure_redirects": "redirects from listed gateways",
        "send_redirects": "only a router sends them",
        "shared_media": "redirects between subnets of one wire",
    },
    "net.ipv6.conf": {
        "accept_ra": "anyone on the link may become the router",
        "accept_ra_defrtr": "anyone on the link may become the default router",
        "accept_ra_pinfo": "anyone on the link may give it an address",
        "accept_ra_rtr_pref": "anyone on the link may become the preferred router",
        "accept_redirects": "ICMP redirects turn traffic to an attacker",
        "accept_source_route": "the sender chooses the way, past a firewall",
        "autoconf": "anyone on the link may give it an address",
        "dad_transmits": "must stay on: finds duplicate addresses",
        "disable_ipv6": "whether there is IPv6 at all",
        "forwarding": "whether it passes packets on between networks",
        "max_addresses": "how many addresses router advertisements may add",
        "router_solicitations": "how often it asks for a router",
    },
}
"""Keys that "all", "default" and every interface have, each with the reason to read it."""

_ROUTING = {
    "net.ipv4.conf": ("accept_local", "forwarding", "route_localnet", "rp_filter"),
    "net.ipv6.conf": ("forwarding",),
}
"""Keys that decide whether the kernel takes or passes on a packet at all."""

_DIRECTORIES = (
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
)
"""From strong to weak; sysctl.d(5), and CONF_PATHS of systemd's src/basic/constants.h."""

_SYSTEMD_SYSCTL = ("/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl")
_SYSCTL_CONF = "/etc/sysctl.conf"
"""Where systemd boots it counts only if a link in sysctl.d leads to it; procps reads it last."""

_MAX_VALUE = 4096


def sysctls(root: Path) -> Maybe[tuple[Sysctl, ...]]:
    """Read the settings that matter for the network, by key.

    Values per interface are given raw: whether "all", the interface's own or both count differs
    from key to key, and an interface that appears later begins with what "default" has then.
    """
    live = root == _LIVE
    paths = _paths(root)
    unread: Unknown | None = None
    boot: dict[str, Assignment] = {}
    try:
        boot = outcome(_configured(root), paths)
    except OSError as error:
        unread = Unknown(f"cannot read {error.filename}: {error.strerror}")
    return tuple(
        Sysctl(
            key=dotted(path),
            live=_live(path) if live else NOT_RUNNING,
            boot=unread or (boot[path].value if path in boot else None),
            boot_source=boot[path].where if path in boot else None,
        )
        for path in paths
    )


def routing() -> tuple[Sysctl, ...]:
    """Read only what decides a packet's way, and only as it is now."""
    return tuple(
        Sysctl(key=dotted(path), live=_live(path), boot=NOT_SURVEYED)
        for group, settings in _ROUTING.items()
        for device in names(_LIVE, f"/proc/sys/{path_of(group)}")
        for path in (f"{path_of(group)}/{device}/{name}" for name in settings)
    )


def _paths(root: Path) -> list[str]:
    """List every key to read, as paths below /proc/sys; an image has no interfaces yet."""
    paths = [path_of(key) for key in SETTINGS]
    for group, settings in INTERFACE_SETTINGS.items():
        folder = path_of(group)
        devices = names(root, f"/proc/sys/{folder}") if root == _LIVE else ["all", "default"]
        paths += [f"{folder}/{device}/{name}" for device in devices for name in settings]
    return sorted(paths)


def _live(path: str) -> Maybe[str | None]:
    """Read what a setting is now; None: this kernel has no such setting."""
    try:
        # Written out, since some hundred of them are read.
        descriptor = os.open(f"/proc/sys/{path}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            value = os.read(descriptor, _MAX_VALUE)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        return NEEDS_ROOT
    except OSError as error:
        return Unknown(f"/proc/sys/{path}: {error.strerror}")
    return " ".join(decoded(value).split())


def _configured(root: Path) -> list[Assignment]:
    """Read every assignment in the order in which a boot applies them.

    Raises OSError for a file that is there and cannot be read.
    """
    found: list[Assignment] = []
    files = _files(root)
    if not any(exists(root, program) for program in _SYSTEMD_SYSCTL):
        files.append(_SYSCTL_CONF)
    files += _ufw_file(root)
    for file in files:
        # A link is named by where it leads: /etc/sysctl.d/99-sysctl.conf is /etc/sysctl.conf.
        real = canonical(root, file)
        if real == "/dev/null":
            continue
        try:
            found += parse(read_text(root, real), real)
        except FileNotFoundError:
            continue
    return found


def _files(root: Path) -> list[str]:
    """List the files of sysctl.d in the order of their names.

    Of two with one name that of the stronger directory hides the other.
    """
    chosen: dict[str, str] = {}
    for directory in _DIRECTORIES:
        for name in names(root, directory):
            if name.endswith(".conf"):
                chosen.setdefault(name, f"{directory}/{name}")
    return [chosen[name] for name in sorted(chosen, key=os.fsencode)]


def _ufw_file(root: Path) -> list[str]:
    """Name the file that ufw hands to sysctl(8) when it starts, if it does (ufw-framework(8))."""
    if not exists(root, "/etc/ufw/ufw.conf") or not exists(root, "/etc/default/ufw"):
        return []
    enabled = assignments(read_text(root, "/etc/ufw/ufw.conf")).get("ENABLED", "no")
    file = assignments(read_text(root, "/etc/default/ufw")).get("IPT_SYSCTL", "")
    return [file] if enabled.lower() == "yes" and file else []
