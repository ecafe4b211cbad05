"""A policy as one table of nftables: default deny for what comes in and what is passed on.

The table stands beside those of others and never touches them. A packet has to pass all of them,
so what is dropped here is closed, whatever another tool accepts.
"""

import json
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from msgspec.structs import replace

from portward.backends import nft_words as nft
from portward.backends.allowed import Groups, Opening, openings, outgoings
from portward.backends.doors import Names
from portward.backends.doors import incoming as doors_in
from portward.backends.doors import outgoing as doors_out
from portward.backends.incoming import WINDOWS, incoming
from portward.backends.passed_on import passed_on
from portward.backends.refused import refused
from portward.backends.sent import sent
from portward.backends.sides import Sides, sides
from portward.model.host import Firewall, Snapshot
from portward.model.net import Ports, Protocol
from portward.model.plan import TABLE
from portward.model.policy import Policy


@dataclass(frozen=True)
class OwnTable:
    """portward's table, to be loaded and to be followed."""

    parts: nft.Parts
    notes: tuple[str, ...] = ()
    """Where it is not all that the policy says, and why; each a sentence."""
    kept_off: tuple[Ports, ...] = ()
    """Allowed ports that stay closed by interfaces that face the internet."""

    @cached_property
    def text(self) -> str:
        """For ``nft -f``: it takes the place of a former one in one transaction."""
        return nft.table_text(TABLE, self.parts)

    @cached_property
    def listing(self) -> tuple[nft.Json, ...]:
        """As ``nft -j list ruleset`` shows it."""
        return nft.listing(TABLE, self.parts)


def table(policy: Policy, snapshot: Snapshot, day: date) -> OwnTable:
    """Return the table that lets in exactly what the policy allows on a machine."""
    around = sides(policy, snapshot)
    groups, names = Groups(), Names()
    opened = openings(policy.allowances, day, groups)
    come = doors_in(opened, names)
    go = doors_out(outgoings(policy.outgoing, groups), names)
    parts = refused() + come.parts + go.parts + incoming(come, around)
    sends = go.by_port("dport") if policy.outgoing else ()
    parts += passed_on(around, sends)
    if policy.outgoing:
        parts += sent(go, come, around)
    kept_off = _kept_off(opened) if around.internet else ()
    return OwnTable(
        names.sets() + parts,
        (*around.notes, *(_note(one, around) for one in kept_off)),
        tuple(
            Ports(one.protocol, max(one.first, first), min(one.last, last))
            for one in kept_off
            for first, last in WINDOWS
            if one.first <= last and first <= one.last
        ),
    )


def has_table(firewall: Firewall) -> bool:
    """Say whether a table of portward's is loaded."""
    if not isinstance(firewall.nft, str):
        return False
    try:
        return any(map(_is_own, json.loads(firewall.nft)["nftables"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return False  # whoever reads it says what is wrong with it


def with_table(firewall: Firewall, own: OwnTable) -> Firewall:
    """Return a ruleset as it is once the table is loaded; what is not known of it stays so."""
    return _with(firewall, own.listing)


def without_table(firewall: Firewall) -> Firewall:
    """Return a ruleset as it is once portward's table is taken away."""
    return _with(firewall, ()) if has_table(firewall) else firewall


def _with(firewall: Firewall, listing: tuple[nft.Json, ...]) -> Firewall:
    if firewall.nft is not None and not isinstance(firewall.nft, str):
        return firewall
    try:
        items = json.loads(firewall.nft)["nftables"] if firewall.nft else []
        kept = [item for item in items if not _is_own(item)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return firewall  # whoever reads it says what is wrong with it
    return replace(firewall, nft=json.dumps({"nftables": [*kept, *listing]}))


def _is_own(item: nft.Json) -> bool:
    ((kind, body),) = item.items()
    name = body.get("name") if kind == "table" else body.get("table")
    return bool(name == TABLE and body.get("family") == nft.FAMILY)


def _kept_off(opened: tuple[Opening, ...]) -> tuple[Opening, ...]:
    """Return what a rule of our own goes before."""
    return tuple(
        one
        for one in opened
        if one.protocol in {Protocol.TCP, Protocol.UDP}
        and any(one.first <= last and first <= one.last for first, last in WINDOWS)
    )


def _note(one: Opening, around: Sides) -> str:
    port = Ports(one.protocol, one.first, one.last)
    return (
        f"NetBIOS and SMB, which {', '.join(one.origins)} allows on {port}, stay closed by"
        f" {', '.join(around.internet)}, which faces the internet."
    )
