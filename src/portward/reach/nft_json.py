"""Reads what ``nft -j list ruleset`` prints (libnftables-json(5)) into a Ruleset.

Nothing that is not understood is skipped: it becomes an Opaque step under its own name, so that
answers say "perhaps". What nft implies without printing it (``tcp dport 22`` is about TCP) is
written out.
"""

import json
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from portward.model.errors import UsageError
from portward.reach import names, xtables_targets
from portward.reach.ruleset import (
    Assign,
    Base,
    Bits,
    Chain,
    Chance,
    Dispatch,
    Elements,
    Field,
    Kind,
    Names,
    Opaque,
    Part,
    Range,
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
    Values,
    Verdict,
)

Json = Any  # what json.loads returns; reading it fails with one of _BROKEN where it is odd

_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration)
_IGNORED = frozenset(
    ["counter", "log", "comment", "last", "flow", "dup", "fwd", "secmark", "ct helper"]
    + ["ct timeout", "ct expectation"]
)
"""Statements that neither match nor decide about the packet itself."""
_CHANCES = frozenset({"limit", "quota", "ct count"})
_VERDICTS = frozenset({"accept", "drop", "return", "continue", "jump", "goto"})
_INTERFACES = {"iif": "iifname", "oif": "oifname", "iifname": "iifname", "oifname": "oifname"}
_ALL = (1 << 128) - 1
_WIDTHS = {"dport": 16, "sport": 16, "l4proto": 8, "icmp type": 8, "icmpv6 type": 8}
"""Bits of a field whose values nft may print as a prefix; a mark has 32."""

# What a header implies: the network protocol (nfproto) or the transport protocol.
_NETWORK = {"ip": 2, "ip6": 10}
_TRANSPORT = {"tcp": 6, "udp": 17, "dccp": 33, "sctp": 132, "udplite": 136} | {
    "icmp": 1,
    "icmpv6": 58,
}
_CT = {
    "saddr": "saddr",
    "ip saddr": "saddr",
    "ip6 saddr": "saddr",
    "daddr": "original daddr",
    "ip daddr": "original daddr",
    "ip6 daddr": "original daddr",
    "proto-src": "sport",
    "proto-dst": "original dport",
    "protocol": "l4proto",
    "l3proto": "nfproto",
}
"""What "ct original ..." is for the first packet of a connection."""
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
    except (*_BROKEN, RecursionError) as error:
        raise UsageError(f"is no output of nft -j: {error}", where=where) from None
    return Ruleset(
        tables=tuple(_table(body, kinds, where) for body in kinds.get("table", ())),
    )


def _table(table: Json, kinds: dict[str, list[Json]], where: str) -> Table:
    try:
        key = (table["family"], table["name"])
        # nft 1.0.6 prints "dynamic" only of sets without a timeout.
        changing = {
            statement["set"]["set"].removeprefix("@")
            for body in _of_table(kinds, "rule", key)
            for statement in body.get("expr", ())
            if "set" in statement
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
    except _BROKEN as error:
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
        except _BROKEN:
            steps.append(Opaque(f"{kind} {json.dumps(body)[:60]}"))
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


def _statement(kind: str, body: Json) -> list[Step]:  # noqa: C901, PLR0911, PLR0912 - one a kind
    if kind in _IGNORED:
        return []
    if kind == "match":
        return _match(body)
    if kind in _VERDICTS:
        return [_verdict({kind: body})]
    if kind == "reject":
        return [*_REJECTED.get((body or {}).get("type", ""), ()), Verdict(Kind.REJECT)]
    if kind == "queue":
        return [Verdict(Kind.QUEUE)]
    if kind in {"snat", "masquerade"}:
        family = (body or {}).get("family", "")
        of_family = [_is("nfproto", _NETWORK[family])] if family in _NETWORK else []
        return [*of_family, Verdict(Kind.ACCEPT)]
    if kind in {"dnat", "redirect"}:
        return _translate(kind, body or {})
    if kind == "vmap":
        implied, parts = _parts(body["key"])
        return [*implied, Dispatch(parts, _entries(body["data"], parts, _verdict))]
    if kind in _CHANCES:
        return [Chance(_chance(kind, body))]
    if kind == "set":
        return [Chance(f"the changing set {body['set'].removeprefix('@')}")]
    if kind == "mangle":
        return _mangle(body["key"], body["value"])
    if kind == "notrack":
        return [Untrack()]
    if kind == "synproxy":
        return [Verdict(Kind.ACCEPT)]
    if kind == "xt":
        return _xt(body["type"], body["name"])
    return [Opaque(kind)]


def _xt(kind: str, name: str) -> list[Step]:
    """Read an extension of iptables, of which nft tells the name alone."""
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


def _mangle(key: Json, new: Json) -> list[Step]:
    kind, body = next(iter(key.items()))
    if (kind, body.get("key")) not in {("meta", "mark"), ("ct", "mark")}:
        changes_way = kind == "payload" and body.get("field") in {"saddr", "daddr", "dport"}
        return [Opaque(f"set {kind} {body.get('field', '')}")] if changes_way else []
    field = Field("mark" if kind == "meta" else "ct mark")
    if isinstance(new, int):
        return [Assign(field, Field("mark"), 0, new)]
    source, keep, flip = _bitwise(new)
    return [Assign(field, source, keep, flip)]


def _bitwise(new: Json) -> tuple[Part, int, int]:
    """Read ``(field & keep) ^ flip`` out of nested operations with constants."""
    kind, body = next(iter(new.items()))
    if kind not in {"&", "|", "^"}:
        _, (part,) = _parts(new)
        return part, _ALL, 0
    source, keep, flip = _bitwise(body[0])
    for operand in body[1:]:
        mask = _flags(operand, "mark")
        if kind == "&":
            keep, flip = keep & mask, flip & mask
        elif kind == "|":
            keep, flip = keep & ~mask & _ALL, (flip & ~mask) | mask
        else:
            flip ^= mask
    return source, keep, flip


def _translate(kind: str, body: Json) -> list[Step]:
    family = {"ip": 4, "ip6": 6}.get(body.get("family", ""))
    address, port = body.get("addr"), body.get("port")
    for mapped, both in ((address, True), (port, False)):
        if isinstance(mapped, dict) and "map" in mapped:
            implied, parts = _parts(mapped["map"]["key"])
            entries = _entries(
                mapped["map"]["data"], parts, _target if both else lambda one: _target(None, one)
            )
            return [*implied, Translate(kind, family, (), parts, entries)]
    return [Translate(kind, family, (_target(address, port),))]


def _target(address: Json, port: Json = None) -> Target:
    if isinstance(address, dict) and "concat" in address:
        address, port = address["concat"]
    return Target(
        address=None if address is None else _one(address, "saddr"),
        port=None if port is None else _one(port, "dport"),
    )


def _entries(data: Json, parts: tuple[Part, ...], read_one: Json) -> Any:  # noqa: ANN401 - per map
    if isinstance(data, str):
        return SetName(data.removeprefix("@"))
    return tuple((_row(key, parts), read_one(value)) for key, value in data["set"])


# --- matches ---------------------------------------------------------------------------------


def _match(body: Json) -> list[Step]:
    left, right, op = body["left"], body["right"], body["op"]
    implied, parts = _parts(left)
    part = parts[0]
    name = _name(part)
    if isinstance(right, bool):  # "fib ... exists" and "missing"
        return [*implied, Test(parts, ((Names(("",)),),), negated=right)]
    if op in {"in", "!"} and len(parts) == 1 and isinstance(part, Field):
        mask = _flags(right, name)
        return [*implied, Test((Bits(part, mask),), ((((0, 0),),),), negated=op == "in")]
    negated = op == "!="
    if op in {"<", ">", "<=", ">="}:
        first, last = _one(right, name)
        spans: dict[str, Range] = {
            "<": (0, first - 1),
            ">": (last + 1, _ALL),
            "<=": (0, last),
            ">=": (first, _ALL),
        }
        return [*implied, Test(parts, (((spans[op],),),))]
    if op not in {"==", "!="}:
        raise ValueError(op)
    if isinstance(right, str) and right.startswith("@"):
        return [*implied, Test(parts, SetName(right[1:]), negated)]
    return [*implied, Test(parts, _rows(right, parts), negated)]


def _rows(right: Json, parts: tuple[Part, ...]) -> tuple[Row, ...]:
    elements = right["set"] if isinstance(right, dict) and "set" in right else [right]
    rows = [_row(element, parts) for element in elements]
    if len(parts) > 1 or len(rows) < 2:  # noqa: PLR2004 - nothing to join
        return tuple(rows)
    return ((_joined([row[0] for row in rows]),),)


def _joined(values: list[Values]) -> Values:
    if any(isinstance(one, Names) for one in values):
        return Names(tuple(name for one in values if isinstance(one, Names) for name in one.names))
    return tuple(span for one in values if not isinstance(one, Names) for span in one)


def _row(element: Json, parts: tuple[Part, ...]) -> Row:
    if isinstance(element, dict) and "elem" in element:
        element = element["elem"]["val"]
    if len(parts) > 1:
        pieces = element["concat"]
        return tuple(_values(one, _name(part)) for one, part in zip(pieces, parts, strict=True))
    return (_values(element, _name(parts[0])),)


def _values(element: Json, name: str) -> Values:
    if name in {"iifname", "oifname"} or (name.startswith("fib") and not name.endswith("type")):
        return Names(("" if element == "0" else str(element),))  # interface 0: none
    if isinstance(element, list):
        mask = _flags(element, name)
        return ((mask, mask),)
    return (_one(element, name),)


def _one(element: Json, name: str) -> Range:
    """Read a number, an address, a prefix or a range."""
    if isinstance(element, int):
        return element, element
    if isinstance(element, dict):
        kind, body = next(iter(element.items()))
        if kind == "prefix" and isinstance(body["addr"], int):
            rest = (1 << (_WIDTHS.get(name, 32) - body["len"])) - 1
            if body["addr"] & rest:
                return 1, 0  # what a mask took away is never equal
            return body["addr"], body["addr"] | rest
        if kind == "prefix":
            network = ip_network(f"{body['addr']}/{body['len']}", strict=False)
            return int(network.network_address), int(network.broadcast_address)
        if kind == "range":
            return _one(body[0], name)[0], _one(body[1], name)[1]
        if kind == "elem":
            return _one(body["val"], name)
        mask = _flags(element, name)
        return mask, mask
    known = _numbers(name)
    if element == "*":
        return 0, _ALL
    if element in known:
        return known[element], known[element]
    try:
        found = int(ip_address(element))
    except ValueError:
        found = int(element, 0)
    return found, found


def _flags(element: Json, name: str) -> int:
    """Read a mask: a number, a name, or several joined by "or"."""
    if isinstance(element, list):
        return sum({_flags(one, name) for one in element})
    if isinstance(element, dict):
        kind, body = next(iter(element.items()))
        if kind != "|":
            raise ValueError(kind)
        found = 0
        for one in body:
            found |= _flags(one, name)
        return found
    if isinstance(element, int):
        return element
    return _one(element, name)[0]


def _numbers(name: str) -> dict[str, int]:
    if name.startswith("fib") and name.endswith("type"):
        return names.FIB_TYPES
    return names.OF_FIELD.get(name, {})


# --- what is looked at -----------------------------------------------------------------------


def _parts(left: Json) -> tuple[list[Step], tuple[Part, ...]]:
    """Return what a match looks at, and the tests that this implies."""
    kind, body = next(iter(left.items()))
    if kind == "concat":
        found = [_parts(one) for one in body]
        return [step for implied, _ in found for step in implied], tuple(
            part for _, parts in found for part in parts
        )
    if kind == "&":
        implied, (part,) = _parts(body[0])
        if not isinstance(part, Field):
            return implied, (Opaque("a mask on a mask"),)
        return implied, (Bits(part, _flags(body[1], part.name)),)
    if kind == "payload" and "protocol" in body:
        return _payload(body["protocol"], body["field"])
    if kind == "meta":
        return _meta(body["key"])
    if kind == "ct":
        return _ct(body)
    if kind == "fib":
        # Routes that depend on marks are not surveyed, so a lookup with the mark finds the same.
        flags = " . ".join(flag for flag in body["flags"] if flag != "mark")
        return [], (Field(f"fib {flags} {body['result'].replace('oifname', 'oif')}"),)
    detail = body.get("key") or body.get("name") or body.get("base") or ""
    return [], (Opaque(f"{kind} {detail}".strip()),)


def _name(part: Part) -> str:
    """Return the field whose kind of values a part has."""
    return part.of.name if isinstance(part, Bits) else part.name


def _is(name: str, number: int) -> Test:
    return Test((Field(name),), ((((number, number),),),))


_REJECTED = {
    "icmp": (_is("nfproto", _NETWORK["ip"]),),
    "icmpv6": (_is("nfproto", _NETWORK["ip6"]),),
    "tcp reset": (_is("l4proto", _TRANSPORT["tcp"]),),
}
"""What a kind of refusal implies: it passes others by."""


def _payload(protocol: str, field: str) -> tuple[list[Step], tuple[Part, ...]]:
    if protocol in _NETWORK:
        implied: list[Step] = [_is("nfproto", _NETWORK[protocol])]
        if field in {"saddr", "daddr"}:
            return implied, (Field(field),)
        if field in {"protocol", "nexthdr"}:
            return implied, (Field("l4proto"),)
        return implied, (Field(f"{protocol} {field}"),)
    if protocol in _TRANSPORT:
        implied = [_is("l4proto", _TRANSPORT[protocol])]
        if field in {"sport", "dport"}:
            return implied, (Field(field),)
        return implied, (Field(f"{protocol} {field}"),)
    if protocol == "th" and field in {"sport", "dport"}:
        return [], (Field(field),)
    return [], (Field(f"{protocol} {field}"),)


def _meta(key: str) -> tuple[list[Step], tuple[Part, ...]]:
    if key in _INTERFACES:
        return [], (Field(_INTERFACES[key]),)
    if key == "protocol":
        return [], (Field("ether type"),)
    return [], (Field(key),)


def _ct(body: Json) -> tuple[list[Step], tuple[Part, ...]]:
    key, direction = body["key"], body.get("dir")
    if key in _CT and (direction == "original" or key in {"protocol", "l3proto"}):
        # A packet without a connection has none of them.
        implied: list[Step] = [Test((Field("ct direction"),), ((((0, 1),),),))]
        if key.startswith("ip"):
            implied.append(_is("nfproto", _NETWORK[key.partition(" ")[0]]))
        return implied, (Field(_CT[key]),)
    return [], (Field(f"ct {direction} {key}" if direction else f"ct {key}"),)


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
            rows.append(_row(element, parts))
            continue
        key = _row(element[0], parts)
        if mapped == "verdict":
            verdicts.append((key, _verdict(element[1])))
        elif "_addr" in str(mapped):
            targets.append((key, _target(element[1])))
        elif mapped == "inet_service":
            targets.append((key, _target(None, element[1])))
        else:
            values.append((key, _one(element[1], _TYPES.get(mapped, ""))[0]))
    if rows and len(parts) == 1:
        rows = [(_joined([row[0] for row in rows]),)]
    return Elements(
        rows=tuple(rows),
        verdicts=tuple(verdicts),
        targets=tuple(targets),
        values=tuple(values),
        dynamic=changing or "dynamic" in body.get("flags", ()),
    )
