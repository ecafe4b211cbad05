"""Firewall tools that take themselves for the only one: retired, so that one is in charge."""

import json
import re
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from portward.model.case import Case
from portward.model.host import Firewall, FirewallManager
from portward.model.plan import Change, Enabling, Manage, SetUnits, Step, UnitState
from portward.model.unknown import Unknown
from portward.plan.parts import Part
from portward.plan.units import are_managed

UFW, FIREWALLD = "ufw", "firewalld"
_UFW_CHAIN = re.compile(r"ufw6?-")
_WHY = "Two tools that each take themselves for the only one undo each other's rules."


def managers(case: Case, in_charge: str) -> Part:
    """Retire ufw and firewalld where they are at work and not in charge; name the others."""
    changes = []
    notes = []
    for manager in at_work(case):
        if manager.name == in_charge:
            continue
        steps = _retiring(manager.name, case)
        if steps:
            changes.append(
                Change(
                    subject=f"firewall manager {manager.name}",
                    title=f"Retire {manager.name}: {in_charge} is in charge of what comes in",
                    why=_WHY,
                    steps=steps,
                )
            )
        else:
            notes.append(
                f"The rules of {manager.name} stay: a packet has to pass them as well as those of"
                f" {in_charge}."
            )
    return Part(tuple(changes), tuple(notes))


def at_work(case: Case) -> tuple[FirewallManager, ...]:
    """Return the exclusive managers whose rules are loaded now or at boot."""
    firewall = case.snapshot.firewall
    if isinstance(firewall, Unknown) or isinstance(firewall.managers, Unknown):
        return ()
    return tuple(
        one
        for one in firewall.managers
        if one.exclusive and one.name != "portward" and (one.active is True or one.enabled is True)
    )


def _retiring(name: str, case: Case) -> tuple[Step, ...]:
    if name == UFW:
        retire = Manage(
            tool=UFW,
            commands=(("ufw", "disable"),),
            keeps=("/etc/ufw", "/etc/default/ufw"),
            back=(("ufw", "--force", "enable"),),
        )
        unit = UnitState(unit="ufw.service", enabling=Enabling.DISABLED)
        return (retire, SetUnits(units=(unit,))) if are_managed(case) else (retire,)
    if name == FIREWALLD and are_managed(case):
        retire = Manage(
            tool=FIREWALLD,
            commands=(("systemctl", "stop", "firewalld.service"),),
            keeps=("/etc/firewalld",),
            back=(("systemctl", "start", "firewalld.service"),),
        )
        unit = UnitState(unit="firewalld.service", enabling=Enabling.DISABLED)
        return (retire, SetUnits(units=(unit,)))
    return ()


def without(firewall: Firewall, retired: Iterable[str]) -> Firewall:
    """Return the ruleset as it is once these tools have taken their rules away."""
    names = set(retired)
    left = () if isinstance(firewall.managers, Unknown) else firewall.managers
    firewall = replace(
        firewall,
        managers=tuple(
            replace(one, active=False, enabled=False) if one.name in names else one for one in left
        ),
    )
    if isinstance(firewall.nft, str):
        firewall = replace(firewall, nft=_listing_without(firewall.nft, names))
    if UFW not in names:
        return firewall
    saved = {
        field: _saved_without(text)
        for field in ("iptables", "ip6tables", "iptables_legacy", "ip6tables_legacy")
        if isinstance(text := getattr(firewall, field), str)
    }
    return replace(firewall, **saved)


def _listing_without(text: str, names: set[str]) -> str:
    document = json.loads(text)
    document["nftables"] = [
        kept for item in document["nftables"] if (kept := _item_without(item, names)) is not None
    ]
    return json.dumps(document)


def _item_without(item: dict[str, Any], names: set[str]) -> dict[str, Any] | None:
    """Return an item of nft's listing without what the tools wrote; None where all of it was."""
    ((kind, body),) = item.items()
    table = body.get("name") if kind == "table" else body.get("table")
    if FIREWALLD in names and table == FIREWALLD:
        return None
    if UFW not in names:
        return item
    chain = body.get("name") if kind == "chain" else body.get("chain", "")
    if kind in {"chain", "rule"} and _UFW_CHAIN.match(chain):
        return None
    if kind == "rule" and any(_UFW_CHAIN.match(target) for target in _targets(body)):
        return None
    if kind == "chain" and body.get("policy") == "drop" and table == "filter":
        return {kind: {**body, "policy": "accept"}}
    return item


def _targets(rule: dict[str, Any]) -> list[str]:
    statements = (one for one in rule.get("expr", ()) if isinstance(one, dict))
    verdicts = (one.get("jump") or one.get("goto") for one in statements)
    return [verdict["target"] for verdict in verdicts if isinstance(verdict, dict)]


def _saved_without(text: str) -> str:
    """Return the output of iptables-save without the chains of ufw."""
    lines = []
    for line in text.splitlines(keepends=True):
        words = line.split()
        if words and _UFW_CHAIN.match(words[0].removeprefix(":")):
            continue
        if words[:1] == ["-A"] and any(map(_UFW_CHAIN.match, words[1:])):
            continue
        opens = line.startswith((":INPUT DROP", ":FORWARD DROP", ":OUTPUT DROP"))
        lines.append(line.replace(" DROP", " ACCEPT", 1) if opens else line)
    return "".join(lines)
