"""The firewall: every ruleset of the kernel, unread, and the tools that put it there.

A ruleset is asked for only where the kernel says that there is one, so a machine without a
firewall pays for two small questions and starts no program.
"""

from collections.abc import Iterable
from pathlib import Path

from portward.model.host import Firewall, FirewallManager
from portward.model.unknown import NEEDS_ROOT, NOT_RUNNING, NOT_SURVEYED, Maybe, Unknown
from portward.survey import nf_tables
from portward.survey.files import decoded
from portward.survey.netlink import NetlinkError
from portward.survey.nf_tables import Chain, Table

_LIVE = Path("/")

_XTABLES = frozenset({"filter", "nat", "mangle", "raw", "security"})
_XTABLES_CHAINS = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})
"""iptables-nft keeps its rules in tables and base chains of these names (iptables(8))."""

_SECONDS = 60
"""nft lists 10,000 rules in about a second."""


def firewall(root: Path) -> Maybe[Firewall]:
    """Read all rulesets and name the managers; of an image, what would be loaded at boot."""
    from portward.survey.firewall_managers import (  # noqa: PLC0415 - status needs no managers
        boot_files,
        managers,
    )

    found = rulesets() if root == _LIVE else _nothing(NOT_RUNNING)
    listed: Maybe[tuple[FirewallManager, ...]]
    try:
        listed = managers(root, _chains(found))
    except OSError as error:
        listed = Unknown(f"cannot read {error.filename}: {error.strerror}")
    return Firewall(
        nft=found.nft,
        iptables=found.iptables,
        ip6tables=found.ip6tables,
        iptables_legacy=found.iptables_legacy,
        ip6tables_legacy=found.ip6tables_legacy,
        managers=listed,
        ipsets=found.ipsets,
        files=() if isinstance(listed, Unknown) else boot_files(root, listed),
    )


def rulesets() -> Firewall:
    """Read the kernel's rulesets alone, for the network namespace of the calling thread."""
    try:
        tables = nf_tables.tables()
    except PermissionError:
        return _nothing(NEEDS_ROOT)
    except (OSError, NetlinkError) as error:
        return _nothing(Unknown(f"nf_tables does not answer: {error}"))
    nft = _nft(tables)
    chains = _nft_chains(nft)
    iptables = _xtables("iptables", "ip", tables, chains)
    ip6tables = _xtables("ip6tables", "ip6", tables, chains)
    iptables_legacy = _legacy("iptables", "ip_tables_names")
    ip6tables_legacy = _legacy("ip6tables", "ip6_tables_names")
    return Firewall(
        nft=nft,
        iptables=iptables,
        ip6tables=ip6tables,
        iptables_legacy=iptables_legacy,
        ip6tables_legacy=ip6tables_legacy,
        managers=NOT_SURVEYED,
        ipsets=_ipsets((iptables, ip6tables, iptables_legacy, ip6tables_legacy)),
    )


def _ipsets(saved: Iterable[Maybe[str | None]]) -> Maybe[str | None]:
    """Save the sets of ipset; None where no rule of iptables asks one."""
    asked = any(isinstance(one, str) and "--match-set" in one for one in saved)
    return _output(["ipset", "save"]) if asked else None


def _nothing(reason: Unknown) -> Firewall:
    """Return a firewall of which nothing is known."""
    return Firewall(
        nft=reason,
        iptables=reason,
        ip6tables=reason,
        iptables_legacy=reason,
        ip6tables_legacy=reason,
        managers=NOT_SURVEYED,
        ipsets=reason,
    )


def _nft(tables: list[Table]) -> Maybe[str | None]:
    """List nf_tables with nft; None where it holds no table."""
    if not tables:
        return None
    listing = _output(["nft", "-j", "list", "ruleset"])
    if isinstance(listing, Unknown):
        number = "a table" if len(tables) == 1 else f"{len(tables)} tables"
        return Unknown(f"{listing.reason}; nf_tables has {number}")
    if '"hook": "ingress"' not in listing:
        return listing
    try:
        return nf_tables.with_devices(listing, nf_tables.devices())
    except (OSError, ValueError) as error:
        return Unknown(f"the interfaces of the ingress chains are not known: {error}")


def _nft_chains(nft: Maybe[str | None]) -> Maybe[list[Chain]]:
    """Name the chains of nft's listing."""
    if isinstance(nft, Unknown):
        return nft
    try:
        return nf_tables.chains(nft) if nft is not None else []
    except ValueError as error:
        return Unknown(str(error))


def _xtables(
    tool: str, family: str, tables: Iterable[Table], chains: Maybe[list[Chain]]
) -> Maybe[str | None]:
    """Save the rules that iptables wrote into nf_tables: nft shows them without their matches.

    Where nft could not list the chains, a table of iptables' names is reason enough to ask.
    """
    candidates = {table for table in tables if table.family == family and table.name in _XTABLES}
    if not isinstance(chains, Unknown):
        candidates &= {chain.table for chain in chains if chain.name in _XTABLES_CHAINS}
    if not candidates:
        return None
    return _saved(tool, "nft", "(nf_tables)")


def _legacy(tool: str, names: str) -> Maybe[str | None]:
    """Save the rules of ip_tables, which nft does not see; None where it has no table."""
    try:
        # thread-self, since a thread may have entered another network namespace.
        listed = Path("/proc/thread-self/net", names).read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except PermissionError:
        return NEEDS_ROOT
    except (OSError, ValueError) as error:
        return Unknown(f"/proc/net/{names}: {error}")
    return _saved(tool, "legacy", "") if listed.strip() else None


def _saved(tool: str, variant: str, mark: str) -> Maybe[str]:
    """Run the save program of one variant of iptables, under whichever name it has here."""
    saved = _output([f"{tool}-{variant}-save"])
    if isinstance(saved, Unknown):
        plain = _output([f"{tool}-save"])
        # Its first line names the variant: the other one would speak of other rules.
        if isinstance(plain, str) and ("(nf_tables)" in plain[:200]) == bool(mark):
            return plain
    return saved


def _output(command: list[str]) -> Maybe[str]:
    """Run a program that prints a ruleset."""
    from portward.survey.tools import ToolError, output  # noqa: PLC0415 - most need none

    try:
        return decoded(output(command, seconds=_SECONDS))
    except ToolError as error:
        return Unknown(str(error))


def _chains(found: Firewall) -> Maybe[frozenset[Chain]]:
    """Name every chain of every ruleset, for the marks that managers leave."""
    chains = _nft_chains(found.nft)
    if isinstance(chains, Unknown):
        return chains
    names = set(chains)
    for family, saved in (("ip", found.iptables_legacy), ("ip6", found.ip6tables_legacy)):
        if isinstance(saved, Unknown):
            return saved
        names.update(saved_chains(saved or "", family))
    return frozenset(names)


def saved_chains(text: str, family: str) -> list[Chain]:
    """Name the chains in the output of iptables-save (pure)."""
    table = Table(family, "")
    found = []
    for line in text.splitlines():
        if line.startswith("*"):
            table = Table(family, line[1:].strip())
        elif line.startswith(":"):
            found.append(Chain(table, line[1:].split(" ", 1)[0]))
    return found
