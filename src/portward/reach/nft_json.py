"""Reads what ``nft -j list ruleset`` prints (libnftables-json(5)) into a Ruleset.

Nothing that is not understood is skipped: it becomes an Opaque step under its own name, so that
answers say "perhaps". What nft implies without printing it (``tcp dport 22`` is about TCP) is
written out.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from portward.model.errors import UsageError
from portward.reach import xtables_targets
from portward.reach.nft_matches import (
    ALL,
    BROKEN,
    NETWORK,
    TRANSPORT,
    Json,
    exactly,
    joined,
    looked_at,
    mask_of,
    match,
    row,
    span,
)
from portward.reach.ruleset import (
    Assign,
    Base,
    Chain,
    Chance,
    Dispatch,
    Elements,
    Field,
    Kind,
    Opaque,
    Part,
    Row,
    Rule,
    Ruleset,
    SetName,
    Step,
    Table,
    Target,
    Test,
    Translate,
    Untrack,
    Verdict,
)

_IGNORED = frozenset(
    {
        *("counter", "log", "comment", "last", "secmark", "ct helper", "ct timeout"),
        *("ct expectation", "dup"),
    }
)
"""Statements that neither match nor decide about the packet itself; "dup" sends a copy away."""
_CHANCES = frozenset({"limit", "quota", "ct count"})
_HARMLESS = frozenset({"dscp", "ecn", "flowlabel", "ttl", "hoplimit", "maxseg"})
"""What of a packet may change without changing its way."""
_FAMILIES = {"ip": 4, "ip6": 6}
_VERDICTS = frozenset({"accept", "drop", "return", "continue", "jump", "goto"})
# Types of sets (nft(8), "DATA TYPES") and the field that has such values.
_TYPES = {
    "ipv4_addr": "saddr",
    "ipv6_addr": "saddr",
    "inet_service": "dport",
    "inet_proto": "l4proto",
    "mark": "mark",
    "ifname": "iifname",
    "iface_index": "iifname",
    "ct_state": "ct state",
    "ct_status": "ct status",
    "pkt_type": "pkttype",
    "tcp_flag": "tcp flags",
    "icmp_type": "icmp type",
    "icmpv6_type": "icmpv6 type",
    "nf_proto": "nfproto",
    "ether_type": "ether type",
    "fib_addrtype": "fib daddr type",
}


def read(text: str, where: str = "the ruleset") -> Ruleset:
    """Read the JSON of a whole ruleset; UsageError says where it is malformed."""
    try:
        items = json.loads(text)["nftables"]
        kinds: dict[str, list[Json]] = {}
        for item in items:
            kind, body = next(iter(item.items()))
            kinds.setdefault(kind, []).append(body)
    except (*BROKEN, RecursionError) as error:
        raise UsageError(f"is no output of nft -j: {error}", where=where) from None
    return Ruleset(
        tables=tuple(_table(body, kinds, where) for body in kinds.get("table", ())),
    )


def _table(table: Json, kinds: dict[str, list[Json]], where: str) -> Table:
    try:
        key = (table["family"], table["name"])
        # nft 1.0.6 prints "dynamic" only of sets without a timeout.
        changing = {
            statement[kind][kind].removeprefix("@")
            for body in _of_table(kinds, "rule", key)
            for statement in body.get("expr", ())
            for kind in ("set", "map")
            if kind in statement
        }
        rules: dict[str, list[Rule]] = {}
        for body in _of_table(kinds, "rule", key):
            rules.setdefault(body["chain"], []).append(_rule(body))
        sets = {
            body["name"]: _elements(body, changing=body["name"] in changing)
            for kind in ("set", "map")
            for body in _of_table(kinds, kind, key)
        }
        return Table(
            family=key[0],
            name=key[1],
            chains=tuple(
                Chain(
                    name=body["name"],
                    base=_base(body),
                    rules=tuple(rules.get(body["name"], ())),
                )
                for body in _of_table(kinds, "chain", key)
            ),
            sets=sets,
        )
    except BROKEN as error:
        name = table.get("name", "?") if isinstance(table, dict) else "?"
        raise UsageError(f"table {name}: {type(error).__name__} {error}", where=where) from None


def _of_table(kinds: dict[str, list[Json]], kind: str, key: tuple[str, str]) -> Iterator[Json]:
    return (body for body in kinds.get(kind, ()) if (body["family"], body["table"]) == key)


def _base(chain: Json) -> Base | None:
    if "hook" not in chain:
        return None
    devices = chain.get("dev", ())
    return Base(
        hook=chain["hook"],
        type=chain.get("type", "filter"),
        priority=int(chain["prio"]),
        policy=Kind(chain.get("policy", "accept")),
        devices=(devices,) if isinstance(devices, str) else tuple(devices),
    )


# --- rules -----------------------------------------------------------------------------------


def _rule(rule: Json) -> Rule:
    steps: list[Step] = []
    for statement in rule.get("expr", ()):
        kind, body = next(iter(statement.items()))
        try:
            steps += _statement(kind, body)
        except BROKEN:
            what = f"{kind} {json.dumps(body)[:60]}"
            steps += [Opaque(what)] if kind == "match" else _perhaps(what)
    return Rule(
        steps=tuple(dict.fromkeys(steps)) if len(steps) < 2 else tuple(_once(steps)),  # noqa: PLR2004
        handle=rule.get("handle"),
        comment=rule.get("comment", ""),
    )


def _once(steps: list[Step]) -> Iterator[Step]:
    """Leave out a test that stands twice, as what is implied often does."""
    seen = set()
    for step in steps:
        if isinstance(step, Test) and not isinstance(step.rows, SetName):
            key = (step.parts, step.rows, step.negated)
            if key in seen:
                continue
            seen.add(key)
        yield step


def _statement(kind: str, body: Json) -> list[Step]:
    if kind in _IGNORED:
        return []
    if kind in _VERDICTS:
        return [_verdict({kind: body})]
    if kind in _CHANCES:
        return [Chance(_chance(kind, body))]
    reader = _STATEMENTS.get(kind)
    return _perhaps(kind) if reader is None else reader(body)


def _perhaps(name: str) -> list[Step]:
    """Return what stands for a statement with which a packet's way may end or change."""
    return [Opaque(name), Verdict(Kind.QUEUE)]


def _reject(body: Json) -> list[Step]:
    """Read a refusal; what its kind implies it passes others by."""
    implied: dict[str, list[Step]] = {
        "icmp": [exactly("nfproto", NETWORK["ip"])],
        "icmpv6": [exactly("nfproto", NETWORK["ip6"])],
        "tcp reset": [exactly("l4proto", TRANSPORT["tcp"])],
    }
    return [*implied.get((body or {}).get("type", ""), []), Verdict(Kind.REJECT)]


def _of_family(body: Json) -> list[Step]:
    family = body.get("family", "") if isinstance(body, dict) else ""
    return [exactly("nfproto", NETWORK[family])] if family in NETWORK else []


def _source_translation(kind: str, body: Json) -> Translate:
    return Translate(kind, _FAMILIES.get((body or {}).get("family", "")))


def _forwarded(body: Json) -> list[Step]:
    """Read "fwd": the packet goes out by another interface, and where to then nobody here says."""
    return [*_of_family(body), Verdict(Kind.QUEUE)]


def _verdict_map(body: Json) -> list[Step]:
    implied, parts = looked_at(body["key"])
    return [*implied, Dispatch(parts, _entries(body["data"], parts, _verdict))]


def _update(kind: str) -> Callable[[Json], list[Step]]:
    """Return the reader of what adds to a set or map, and ends the rule where that is full."""
    return lambda body: [Chance(f"the changing {kind} {body[kind].removeprefix('@')}")]


def _xt(body: Json) -> list[Step]:
    """Read an extension of iptables, of which nft tells the name alone."""
    kind, name = body["type"], body["name"]
    if kind == "target":
        return xtables_targets.by_name(name)
    return [] if kind == "watcher" else [Opaque(f"{kind} {name} of iptables")]


def _chance(kind: str, body: Json) -> str:
    if kind != "limit" or not isinstance(body, dict):
        return kind
    over = "over " if body.get("inv") else ""
    return f"a limit of {over}{body.get('rate')}/{body.get('per', 'second')}"


def _verdict(body: Json) -> Verdict:
    kind, target = next(iter(body.items()))
    return Verdict(Kind(kind), target["target"] if target else "")


def _mangle(body: Json) -> list[Step]:
    kind, what = next(iter(body["key"].items()))
    if (kind, what.get("key")) in {("meta", "mark"), ("ct", "mark")}:
        return [_assign(Field("mark" if kind == "meta" else "ct mark"), body["value"])]
    if kind in {"meta", "ct"} and what["key"] != "pkttype":
        return []
    name = what.get("field") or what.get("key") or ""
    return [] if kind != "meta" and name in _HARMLESS else _perhaps(f"set {kind} {name}".strip())


def _assign(field: Field, new: Json) -> Assign:
    if isinstance(new, int):
        return Assign(field, Field("mark"), 0, new)
    source, keep, flip = _bitwise(new)
    return Assign(field, source, keep, flip)


def _bitwise(new: Json) -> tuple[Part, int, int]:
    """Read ``(field & keep) ^ flip`` out of nested operations with constants."""
    kind, body = next(iter(new.items()))
    if kind not in {"&", "|", "^"}:
        _, (part,) = looked_at(new)
        return part, ALL, 0
    source, keep, flip = _bitwise(body[0])
    for operand in body[1:]:
        mask = mask_of(operand, "mark")
        if kind == "&":
            keep, flip = keep & mask, flip & mask
        elif kind == "|":
            keep, flip = keep & ~mask & ALL, (flip & ~mask) | mask
        else:
            flip ^= mask
    return source, keep, flip


def _translate(kind: str, body: Json) -> list[Step]:
    family = _FAMILIES.get(body.get("family", ""))
    address, port = body.get("addr"), body.get("port")
    for mapped, both in ((address, True), (port, False)):
        if isinstance(mapped, dict) and "map" in mapped:
            implied, parts = looked_at(mapped["map"]["key"])
            entries = _entries(
                mapped["map"]["data"], parts, _target if both else lambda one: _target(None, one)
            )
            return [*implied, Translate(kind, family, (), parts, entries)]
    return [Translate(kind, family, (_target(address, port),))]


def _target(address: Json, port: Json = None) -> Target:
    if isinstance(address, dict) and "concat" in address:
        address, port = address["concat"]
    return Target(
        address=None if address is None else span(address, "saddr"),
        port=None if port is None else span(port, "dport"),
    )


def _entries(data: Json, parts: tuple[Part, ...], read_one: Json) -> Any:  # noqa: ANN401 - per map
    if isinstance(data, str):
        return SetName(data.removeprefix("@"))
    return tuple((row(key, parts), read_one(value)) for key, value in data["set"])


_STATEMENTS: dict[str, Callable[[Json], list[Step]]] = {
    "match": match,
    "reject": _reject,
    "queue": lambda _: [Verdict(Kind.QUEUE)],
    "snat": lambda body: [_source_translation("snat", body)],
    "masquerade": lambda body: [_source_translation("masquerade", body)],
    "dnat": lambda body: _translate("dnat", body or {}),
    "redirect": lambda body: _translate("redirect", body or {}),
    "vmap": _verdict_map,
    "set": _update("set"),
    "map": _update("map"),
    "mangle": _mangle,
    "notrack": lambda _: [Untrack()],
    "fwd": _forwarded,
    # It ends the rule for the first packet of a connection; what follows in it is for later ones.
    "flow": lambda _: [Opaque("flow add")],
    "xt": _xt,
}
"""Whatever has no reader may decide: tproxy, synproxy (it answers by itself), and what is new."""


# --- sets ------------------------------------------------------------------------------------


def _elements(body: Json, *, changing: bool) -> Elements:
    kinds = body.get("type", ())
    types = [kinds] if isinstance(kinds, str) else list(kinds)
    parts = tuple(Field(_TYPES.get(one, one)) for one in types)
    rows: list[Row] = []
    verdicts: list[tuple[Row, Verdict]] = []
    targets: list[tuple[Row, Target]] = []
    values: list[tuple[Row, int]] = []
    mapped = body.get("map")
    for element in body.get("elem", ()):
        if not mapped:
            rows.append(row(element, parts))
            continue
        key = row(element[0], parts)
        if mapped == "verdict":
            verdicts.append((key, _verdict(element[1])))
        elif "_addr" in str(mapped):
            targets.append((key, _target(element[1])))
        elif mapped == "inet_service":
            targets.append((key, _target(None, element[1])))
        else:
            values.append((key, span(element[1], _TYPES.get(mapped, ""))[0]))
    if rows and len(parts) == 1:
        rows = [(joined([each[0] for each in rows]),)]
    return Elements(
        rows=tuple(rows),
        verdicts=tuple(verdicts),
        targets=tuple(targets),
        values=tuple(values),
        dynamic=changing or "dynamic" in body.get("flags", ()),
    )
