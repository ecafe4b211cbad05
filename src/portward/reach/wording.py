"""Rules in words: those of the tool that wrote them where it is known, else those of nft."""

import re
from ipaddress import IPv4Address, IPv6Address, summarize_address_range

from portward.model.reaching import Deciding
from portward.reach import names
from portward.reach.ruleset import (
    IPV4_BITS,
    Assign,
    Bits,
    Chance,
    Dispatch,
    Field,
    Kind,
    Names,
    Opaque,
    Part,
    Place,
    Row,
    Rule,
    SetName,
    Step,
    Target,
    Test,
    Translate,
    Untrack,
    Values,
    Verdict,
)
from portward.reach.walk import Decision

_MOST = 4
"""Values, or entries of a map, that are written before "..."."""
_ADDRESSES = frozenset({"saddr", "daddr", "original saddr", "original daddr"})
_IMPLIED = {"tcp": 6, "udp": 17}
_FIREWALLD = re.compile(r"filter_(?:IN|FWD|FWDI|FWDO)_(.+)_(allow|deny|pre|post|log)\Z")
_UFW_CHAIN = re.compile(r"ufw6?-user-(input|forward)\Z")
_UFW_LIMIT = re.compile(r"ufw6?-user-limit(-accept)?\Z")
_UFW_ACTIONS = {Kind.ACCEPT: "allow", Kind.DROP: "deny", Kind.REJECT: "reject"}


def deciding(decision: Decision) -> Deciding:
    """Describe a rule, or a policy, that decided."""
    place = decision.place
    rule = place.rule
    return Deciding(
        verdict=str(decision.kind),
        words=words(place, decision.kind),
        family=place.family,
        table=place.table,
        chain=place.chain,
        rule=None if rule is None else text(rule, place.family),
        handle=None if rule is None else rule.handle,
    )


def words(place: Place, kind: Kind) -> str:
    """Name a rule as the person who asked a tool for it would."""
    rule, chain = place.rule, f"{place.family} {place.table} {place.chain}"
    if rule is None:
        return f"policy {kind} of {chain}"
    return _of_tool(place, rule, kind) or f"{text(rule, place.family)} ({_spot(chain, rule)})"


def text(rule: Rule, family: str) -> str:
    """Write a rule as its tool does; of nft's, what decides about the packet."""
    return rule.text or " ".join(filter(None, _steps(rule, family))) or "any packet"


def _spot(chain: str, rule: Rule) -> str:
    return chain if rule.handle is None else f"{chain}, handle {rule.handle}"


# --- tools -----------------------------------------------------------------------------------


def _of_tool(place: Place, rule: Rule, kind: Kind) -> str:
    if _UFW_CHAIN.match(place.chain) and kind in _UFW_ACTIONS:
        route = "route " if place.chain.endswith("forward") else ""
        return f"ufw {route}{_UFW_ACTIONS[kind]} {_plain(rule)}".rstrip()
    if _UFW_LIMIT.match(place.chain):
        return f"ufw limit: {text(rule, place.family)}"
    if place.table == "firewalld" and (zone := _FIREWALLD.match(place.chain)):
        verb = "allows" if kind == Kind.ACCEPT else "denies"
        return f"firewalld: zone {zone[1]} {verb} {_plain(rule)}".rstrip()
    if place.chain.startswith("DOCKER"):
        return f"docker: {text(rule, place.family)}"
    return ""


def _plain(rule: Rule) -> str:
    """Write the port, the source and the interface that a rule asks for, as ufw does."""
    port = protocol = ""
    rest = []
    for step in rule.steps:
        if not isinstance(step, Test) or len(step.parts) != 1 or isinstance(step.rows, SetName):
            continue
        name = step.parts[0].name if isinstance(step.parts[0], Field) else ""
        values = _rows(step.parts, step.rows)
        negation = "not " if step.negated else ""
        if name == "dport":
            port = f"{negation}{values}"
        elif name == "l4proto":
            protocol = values
        elif name in {"saddr", "daddr", "iifname", "sport"}:
            word = {"saddr": "from", "daddr": "to", "iifname": "on", "sport": "from port"}[name]
            rest.append(f"{word} {negation}{values}")
    head = f"{port}/{protocol}" if port and protocol else port or protocol
    return " ".join(filter(None, [head, *rest]))


# --- nft -------------------------------------------------------------------------------------


def _steps(rule: Rule, family: str) -> list[str]:
    implied = {_IMPLIED.get(word) for word in ("tcp", "udp")}
    protocol = next(
        (
            step.rows[0][0][0][0]
            for step in rule.steps
            if _is_single(step, "l4proto")
            and isinstance(step, Test)
            and isinstance(step.rows, tuple)
            and isinstance(step.rows[0][0], tuple)
        ),
        None,
    )
    has_port = any(_is_about(step, ("dport", "sport", "tcp flags")) for step in rule.steps)
    written = []
    for step in rule.steps:
        if _is_single(step, "nfproto"):
            continue  # nft implies it
        if _is_single(step, "l4proto") and protocol in implied and has_port:
            continue
        written.append(_step(step, _name_of(protocol), family))
    return written


def _is_about(step: Step, fields: tuple[str, ...]) -> bool:
    return isinstance(step, Test) and any(_field(part) in fields for part in step.parts)


def _is_single(step: Step, field: str) -> bool:
    """Say whether a step asks for one value of one field."""
    return (
        isinstance(step, Test)
        and not step.negated
        and len(step.parts) == 1
        and _field(step.parts[0]) == field
        and isinstance(step.rows, tuple)
        and len(step.rows) == 1
        and isinstance(step.rows[0][0], tuple)
        and len(step.rows[0][0]) == 1
    )


def _name_of(protocol: int | None) -> str:
    return next((name for name, number in names.PROTOCOLS.items() if number == protocol), "th")


def _step(step: Step, protocol: str, family: str) -> str:  # noqa: PLR0911 - one line a kind
    match step:
        case Test(parts, rows, negated):
            asked = " . ".join(_part(part, protocol, family) for part in parts)
            return f"{asked} {'!= ' if negated else ''}{_rows(parts, rows)}"
        case Chance(name) | Opaque(name):
            return name
        case Verdict():
            return verdict(step)
        case Dispatch(parts, entries):
            asked = " . ".join(_part(part, protocol, family) for part in parts)
            if isinstance(entries, SetName):
                return f"{asked} vmap @{entries.name}"
            some = [f"{_row(parts, row)} : {verdict(to)}" for row, to in entries[:_MOST]]
            some += ["..."] if len(entries) > _MOST else []
            return f"{asked} vmap {{ {', '.join(some)} }}"
        case Assign(field):
            return f"{field.name} set"
        case Translate():
            return translation(step)
        case Untrack():
            return "notrack"


def verdict(step: Verdict) -> str:
    """Write a verdict: "accept", "jump NAME"."""
    return f"{step.kind} {step.chain}".rstrip()


def translation(step: Translate) -> str:
    """Write where a translation sends packets."""
    if step.parts:
        where = f"@{step.entries.name}" if isinstance(step.entries, SetName) else "a map"
        return f"{step.kind} to {where}"
    targets = ", ".join(map(_target, step.targets))
    return f"{step.kind} to {targets}" if targets else step.kind


def _target(target: Target) -> str:
    address = "" if target.address is None else address_words(*target.address)
    port = "" if target.port is None else f":{_span(*target.port)}"
    return f"[{address}]{port}" if ":" in address and port else address + port


def _field(part: Part) -> str:
    return part.of.name if isinstance(part, Bits) else part.name


def _part(part: Part, protocol: str, family: str) -> str:
    name = _field(part)
    if name in {"dport", "sport"}:
        name = f"{protocol} {name}"
    elif name in {"saddr", "daddr"}:
        name = f"{'ip6' if family == 'ip6' else 'ip'} {name}"
    return f"{name} & {part.mask:#x}" if isinstance(part, Bits) else name


def _rows(parts: tuple[Part, ...], rows: tuple[Row, ...] | SetName) -> str:
    if isinstance(rows, SetName):
        return f"@{rows.name}"
    found = [_row(parts, row) for row in rows[:_MOST]]
    found += ["..."] if len(rows) > _MOST else []
    return found[0] if len(found) == 1 else f"{{ {', '.join(found)} }}"


def _row(parts: tuple[Part, ...], row: Row) -> str:
    return " . ".join(_values(part, values) for part, values in zip(parts, row, strict=False))


def _values(part: Part, values: Values) -> str:
    if isinstance(values, Names):
        return ",".join(values.names)
    field = _field(part)
    found = [_value(field, first, last) for first, last in values[:_MOST]]
    found += ["..."] if len(values) > _MOST else []
    return ",".join(found)


def _value(field: str, first: int, last: int) -> str:
    if field in _ADDRESSES:
        return address_words(first, last)
    known = names.FIB_TYPES if field.startswith("fib ") else names.OF_FIELD.get(field, {})
    if first == last:
        for name, number in known.items():
            if number == first:
                return name
    return _span(first, last)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def address_words(first: int, last: int) -> str:
    """Write addresses as one prefix where that is possible, else as a range."""
    kind = IPv4Address if last >> IPV4_BITS == 0 else IPv6Address
    if first == last:
        return str(kind(first))
    prefixes = list(summarize_address_range(kind(first), kind(last)))
    return str(prefixes[0]) if len(prefixes) == 1 else f"{kind(first)}-{kind(last)}"
