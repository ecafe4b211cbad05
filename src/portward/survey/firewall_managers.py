"""The tools that write firewall rules here, known by the marks they leave and by their files."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from portward.model.host import FirewallManager
from portward.model.unknown import Maybe, Unknown
from portward.survey import unit_tree
from portward.survey.files import canonical, exists, names, read_text
from portward.survey.nf_tables import Chain, Table
from portward.survey.shell import assignments


class Switch(NamedTuple):
    """A setting without which the tool does nothing at boot, whatever its unit says."""

    file: str
    name: str
    on: str


class Tool(NamedTuple):
    """How a manager is known."""

    name: str
    chains: tuple[str, ...] = ()
    """Patterns of the chains that it makes."""
    tables: tuple[str, ...] = ()
    """Patterns of the tables that it makes."""
    units: tuple[str, ...] = ()
    """Any of them starts it."""
    switch: Switch | None = None
    files: tuple[str, ...] = ()
    """Files, or folders with a slash at the end, that it loads its rules from."""
    exclusive: bool = False
    """It takes itself for the only manager of the host's own input."""


NFTABLES = "nftables"

TOOLS = (
    Tool(
        "ufw",
        chains=("ufw-user-*", "ufw6-user-*"),  # it leaves others behind, empty, when it is disabled
        units=("ufw.service",),
        switch=Switch("/etc/ufw/ufw.conf", "ENABLED", "yes"),
        files=("/etc/ufw/",),
        exclusive=True,
    ),
    Tool(
        "firewalld",
        tables=("firewalld", "firewalld_policy_drop"),
        chains=("INPUT_ZONES", "PRE_public"),
        units=("firewalld.service",),
        files=(
            "/etc/firewalld/firewalld.conf",
            "/etc/firewalld/zones/",
            "/etc/firewalld/policies/",
        ),
        exclusive=True,
    ),
    Tool(
        NFTABLES,
        units=("nftables.service",),
        files=("/etc/nftables.conf", "/etc/sysconfig/nftables.conf", "/etc/nftables.d/"),
    ),
    Tool(
        "netfilter-persistent",
        units=("netfilter-persistent.service",),
        files=("/etc/iptables/rules.v4", "/etc/iptables/rules.v6"),
        exclusive=True,
    ),
    Tool(
        "iptables-services",
        units=("iptables.service", "ip6tables.service"),
        files=("/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
        exclusive=True,
    ),
    Tool(
        "shorewall",
        chains=("sha-lh-*", "sha-rh-*", "shorewall"),
        units=("shorewall.service", "shorewall6.service"),
        files=("/etc/shorewall/rules", "/etc/shorewall/policy", "/etc/shorewall6/rules"),
        exclusive=True,
    ),
    Tool("ferm", units=("ferm.service",), files=("/etc/ferm/ferm.conf",), exclusive=True),
    Tool(
        "foomuuri",
        tables=("foomuuri",),
        units=("foomuuri.service",),
        files=("/etc/foomuuri/",),
        exclusive=True,
    ),
    Tool("portward", tables=("portward",)),
    Tool("docker", chains=("DOCKER*",), tables=("docker-*",), units=("docker.service",)),
    Tool("podman", chains=("NETAVARK*", "CNI-*"), tables=("netavark",)),
    Tool(
        "libvirt",
        chains=("LIBVIRT_*",),
        tables=("libvirt_network",),
        units=("libvirtd.service", "virtnetworkd.service", "virtnetworkd.socket"),
    ),
    Tool("lxd", tables=("lxd",)),
    Tool("incus", tables=("incus",)),
    Tool("lxc-net", tables=("lxc",), units=("lxc-net.service",)),
    Tool(
        "fail2ban",
        chains=("f2b-*", "fail2ban-*"),
        tables=("f2b-table",),
        units=("fail2ban.service",),
    ),
    Tool(
        "crowdsec",
        chains=("CROWDSEC*", "crowdsec*"),
        tables=("crowdsec", "crowdsec6"),
        units=("crowdsec-firewall-bouncer.service",),
    ),
    Tool("sshguard", chains=("sshguard",), tables=("sshguard",), units=("sshguard.service",)),
    Tool("kube-proxy", chains=("KUBE-*",), tables=("kube-proxy",)),
    Tool("calico", chains=("cali-*",), tables=("calico",)),
    Tool("cilium", chains=("CILIUM_*",)),
    Tool("flannel", chains=("FLANNEL-*",), tables=("flannel-*",)),
    Tool("tailscale", chains=("ts-*",), units=("tailscaled.service",)),
    Tool("wg-quick", tables=("wg-quick-*",)),
    Tool("miniupnpd", chains=("MINIUPNPD*",), units=("miniupnpd.service",)),
    Tool("NetworkManager", tables=("nm-shared-*",)),
    Tool("systemd-networkd", tables=("io.systemd.nat",)),
)
"""One line adds a manager. Marks were read in live rulesets or in the tools' documentation."""

_TABLE_LINE = re.compile(
    r"^\s*(?:add\s+|create\s+)?table\s+(?:(ip|ip6|inet|arp|bridge|netdev)\s+)?([\w./\\-]+)",
    re.MULTILINE,
)
_FLUSH_LINE = re.compile(r"^\s*flush\s+ruleset\s*(?:[;#]|$)", re.MULTILINE)
_RULE_FILES = (".rules", ".xml", ".nft", ".conf")
_MAX_CONFIGURATION = 16 << 20


def managers(root: Path, chains: Maybe[frozenset[Chain]]) -> tuple[FirewallManager, ...]:
    """Name every manager that has rules in the kernel, or that is installed below root.

    Raises OSError where the directories of units are closed to us.
    """
    units = unit_tree.system(root)
    found = (_manager(root, tool, units, chains) for tool in TOOLS)
    return tuple(manager for manager in found if manager is not None)


def boot_files(root: Path, listed: Iterable[FirewallManager]) -> tuple[str, ...]:
    """List the rule files of the managers that a boot would start."""
    by_name = {tool.name: tool for tool in TOOLS}
    return tuple(
        file
        for manager in listed
        if manager.enabled is True
        for file in _present(root, by_name[manager.name])
    )


def _present(root: Path, tool: Tool) -> list[str]:
    """List the tool's files that are there."""
    found = []
    for file in tool.files:
        if not file.endswith("/"):
            found += [file] if exists(root, file) else []
            continue
        try:
            found += [file + name for name in names(root, file) if name.endswith(_RULE_FILES)]
        except OSError:
            found.append(file)  # it is there, and closed to us
    return found


def _manager(
    root: Path, tool: Tool, units: unit_tree.UnitTree, chains: Maybe[frozenset[Chain]]
) -> FirewallManager | None:
    """Judge one tool; None where there is no trace of it."""
    marks = [] if isinstance(chains, Unknown) else _marks(tool, chains)
    installed = [unit for unit in tool.units if unit in units.files]
    files = _present(root, tool)
    if not marks and not installed and not files:
        return None
    enabled, why = _enabled(root, tool, units, installed)
    exclusive, active = tool.exclusive, _active(tool, marks, chains)
    if tool.name == NFTABLES:
        texts = [_read(root, file) for file in files]
        exclusive = any(_FLUSH_LINE.search(text) for text in texts)
        active, marks = _nftables(texts, chains)
    return FirewallManager(
        name=tool.name,
        enabled=enabled,
        active=active,
        exclusive=exclusive,
        evidence="; ".join([*marks[:1], *why]) or ", ".join(files),
    )


def _marks(tool: Tool, chains: frozenset[Chain]) -> list[str]:
    """Name what in the kernel shows the tool's hand."""
    found = [
        f"chain {chain.name} in table {chain.table.family} {chain.table.name}"
        for chain in sorted(chains)
        if any(fnmatchcase(chain.name, pattern) for pattern in tool.chains)
    ]
    tables = sorted({chain.table for chain in chains})
    found += [
        f"table {table.family} {table.name}"
        for table in tables
        if any(fnmatchcase(table.name, pattern) for pattern in tool.tables)
    ]
    return found


def _active(tool: Tool, marks: list[str], chains: Maybe[frozenset[Chain]]) -> Maybe[bool]:
    """Say whether its rules are in the kernel now."""
    if isinstance(chains, Unknown):
        return chains
    if marks or tool.chains or tool.tables or not chains:
        return bool(marks)
    return Unknown("its rules carry no mark")


def _enabled(
    root: Path, tool: Tool, units: unit_tree.UnitTree, installed: list[str]
) -> tuple[Maybe[bool], list[str]]:
    """Say whether a boot would start it, and why."""
    switched, why = _switched(root, tool.switch) if tool.switch else (True, [])
    if switched is not True:
        return switched, why
    for unit in installed:
        wanted = units.wanted.get(unit, [])
        if wanted and canonical(root, units.files[unit]) != "/dev/null":
            return True, [*why, f"{wanted[0]}/{unit}"]
    if tool.units:
        return False, [f"{unit} is not enabled" for unit in installed[:1]]
    return Unknown("it has no unit of its own"), why


def _switched(root: Path, switch: Switch) -> tuple[Maybe[bool], list[str]]:
    """Say whether the tool's own setting lets it start, and what it reads."""
    try:
        value = assignments(read_text(root, switch.file)).get(switch.name, "")
    except FileNotFoundError:
        return False, []
    except OSError as error:
        return Unknown(f"{switch.file}: {error.strerror}"), []
    return value.lower() == switch.on, [f"{switch.file}: {switch.name}={value}"]


def _nftables(texts: list[str], chains: Maybe[frozenset[Chain]]) -> tuple[Maybe[bool], list[str]]:
    """Say whether the tables of its files are in the kernel, and which one is."""
    if isinstance(chains, Unknown):
        return chains, []
    wanted = {
        Table(family or "ip", name) for text in texts for family, name in _TABLE_LINE.findall(text)
    }
    here = sorted(wanted & {chain.table for chain in chains})
    return bool(here), [f"table {table.family} {table.name} of its file" for table in here]


def _read(root: Path, file: str) -> str:
    """Read a configuration file; one that cannot be read says nothing."""
    try:
        return read_text(root, file, _MAX_CONFIGURATION)
    except OSError:
        return ""
