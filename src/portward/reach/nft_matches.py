"""Reads the matches of ``nft -j``: what they look at, and the values that they ask for.

libnftables-json(5), "EXPRESSIONS". What nft implies without printing it (``tcp dport 22`` is about
TCP) is written out as further tests. Everything here raises one of BROKEN where a text is odd.
"""

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

from portward.reach import names
from portward.reach.ruleset import (
    Bits,
    Field,
    Names,
    Opaque,
    Part,
    Range,
    Row,
    SetName,
    Step,
    Test,
    Values,
)

Json = Any  # what json.loads returns

BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration)
"""What reading malformed JSON fails with."""
_INTERFACES = {"iif": "iifname", "oif": "oifname", "iifname": "iifname", "oifname": "oifname"}
_BY_NAME = frozenset({"iifname", "oifname", "ibrname", "obrname"})
ALL = (1 << 128) - 1
_WIDTHS = {"dport": 16, "sport": 16, "l4proto": 8, "icmp type": 8, "icmpv6 type": 8}
"""Bits of a field whose values nft may print as a prefix; a mark has 32."""

# What a header implies: the network protocol (nfproto) or the transport protocol.
NETWORK = {"ip": 2, "ip6": 10}
TRANSPORT = {"tcp": 6, "udp": 17, "dccp": 33, "sctp": 132, "udplite": 136} | {
    "icmp": 1,
    "icmpv6": 58,
}
_CT = {
    "saddr": "original saddr",
    "ip saddr": "original saddr",
    "ip6 saddr": "original saddr",
    "daddr": "original daddr",
    "ip daddr": "original daddr",
    "ip6 daddr": "original daddr",
    "proto-src": "original sport",
    "proto-dst": "original dport",
    "protocol": "l4proto",
    "l3proto": "nfproto",
}
"""What "ct original ..." is for the first packet of a connection."""


def match(body: Json) -> list[Step]:
    """Read a match, with what it implies."""
    left, right, op = body["left"], body["right"], body["op"]
    implied, parts = looked_at(left)
    part = parts[0]
    name = _name(part)
    if isinstance(right, bool):  # "fib ... exists" and "missing"
        return [*implied, Test(parts, ((Names(("",)),),), negated=right)]
    if op in {"in", "!"} and len(parts) == 1 and isinstance(part, Field):
        mask = mask_of(right, name)
        return [*implied, Test((Bits(part, mask),), ((((0, 0),),),), negated=op == "in")]
    negated = op == "!="
    if op in {"<", ">", "<=", ">="}:
        first, last = span(right, name)
        spans: dict[str, Range] = {
            "<": (0, first - 1),
            ">": (last + 1, ALL),
            "<=": (0, last),
            ">=": (first, ALL),
        }
        return [*implied, Test(parts, (((spans[op],),),))]
    if op not in {"==", "!="}:
        raise ValueError(op)
    if isinstance(right, str) and right.startswith("@"):
        return [*implied, Test(parts, SetName(right[1:]), negated)]
    return [*implied, _backward(right, parts) or Test(parts, _rows(right, parts), negated)]


def _backward(right: Json, parts: tuple[Part, ...]) -> Test | None:
    """Read "!= 80-53", as which nft 1.0.6 lists "< 80" followed by "> 53"."""
    if not isinstance(right, dict) or "range" not in right:
        return None
    first, last = span(right, _name(parts[0]))
    return Test(parts, ((((last + 1, first - 1),),),)) if first > last else None


def _rows(right: Json, parts: tuple[Part, ...]) -> tuple[Row, ...]:
    elements = right["set"] if isinstance(right, dict) and "set" in right else [right]
    rows = [row(element, parts) for element in elements]
    if len(parts) > 1 or len(rows) < 2:  # noqa: PLR2004 - nothing to join
        return tuple(rows)
    return ((joined([row[0] for row in rows]),),)


def joined(values: list[Values]) -> Values:
    """Join the values of a set whose elements have one part."""
    if any(isinstance(one, Names) for one in values):
        return Names(tuple(name for one in values if isinstance(one, Names) for name in one.names))
    return tuple(span for one in values if not isinstance(one, Names) for span in one)


def row(element: Json, parts: tuple[Part, ...]) -> Row:
    """Read an element of a set or the key of a map."""
    if isinstance(element, dict) and "elem" in element:
        element = element["elem"]["val"]
    if len(parts) > 1:
        pieces = element["concat"]
        return tuple(_values(one, _name(part)) for one, part in zip(pieces, parts, strict=True))
    return (_values(element, _name(parts[0])),)


def _values(element: Json, name: str) -> Values:
    if name in _BY_NAME or (name.startswith("fib") and not name.endswith("type")):
        return Names(("" if element == "0" else str(element),))  # interface 0: none
    if isinstance(element, list):
        mask = mask_of(element, name)
        return ((mask, mask),)
    return (span(element, name),)


def span(element: Json, name: str) -> Range:
    """Read a number, an address, a prefix or a range."""
    if isinstance(element, int):
        return element, element
    if isinstance(element, dict):
        return _composed(element, name)
    if element == "*":
        return 0, ALL
    found = _numbers(name).get(element)
    if found is None:
        found = _number(element)
    return found, found


def _composed(element: Json, name: str) -> Range:
    kind, body = next(iter(element.items()))
    if kind == "prefix":
        return _prefix(body["addr"], body["len"], name)
    if kind == "range":
        return span(body[0], name)[0], span(body[1], name)[1]
    if kind == "elem":
        return span(body["val"], name)
    mask = mask_of(element, name)
    return mask, mask


def _prefix(start: Json, length: int, name: str) -> Range:
    if not isinstance(start, int):
        network = ip_network(f"{start}/{length}", strict=False)
        return int(network.network_address), int(network.broadcast_address)
    rest = (1 << (_WIDTHS.get(name, 32) - length)) - 1
    # What a mask took away is never equal.
    return (1, 0) if start & rest else (start, start | rest)


def _number(text: str) -> int:
    try:
        return int(ip_address(text))
    except ValueError:
        return int(text, 0)


def mask_of(element: Json, name: str) -> int:
    """Read a mask: a number, a name, or several joined by "or"."""
    if isinstance(element, list):
        return sum({mask_of(one, name) for one in element})
    if isinstance(element, dict):
        kind, body = next(iter(element.items()))
        if kind != "|":
            raise ValueError(kind)
        found = 0
        for one in body:
            found |= mask_of(one, name)
        return found
    if isinstance(element, int):
        return element
    return span(element, name)[0]


def _numbers(name: str) -> dict[str, int]:
    if name.startswith("fib") and name.endswith("type"):
        return names.FIB_TYPES
    return names.OF_FIELD.get(name, {})


# --- what is looked at -----------------------------------------------------------------------


Looked = tuple[list[Step], tuple[Part, ...]]
"""The tests that a match implies, and what it looks at."""


def looked_at(left: Json) -> Looked:
    """Return what a match looks at, and the tests that this implies."""
    kind, body = next(iter(left.items()))
    if kind in _READERS:
        return _READERS[kind](body)
    detail = body.get("key") or body.get("name") or body.get("base") or ""
    return [], (Opaque(f"{kind} {detail}".strip()),)


def _concatenation(body: Json) -> Looked:
    found = [looked_at(one) for one in body]
    return (
        [step for implied, _ in found for step in implied],
        tuple(part for _, parts in found for part in parts),
    )


def _masked(body: Json) -> Looked:
    implied, (part,) = looked_at(body[0])
    if not isinstance(part, Field):
        return implied, (Opaque("a mask on a mask"),)
    return implied, (Bits(part, mask_of(body[1], part.name)),)


def _fib(body: Json) -> Looked:
    # Routes that depend on marks are not surveyed, so a lookup with the mark finds the same.
    flags = " . ".join(flag for flag in body["flags"] if flag != "mark")
    return [], (Field(f"fib {flags} {body['result'].replace('oifname', 'oif')}"),)


def _name(part: Part) -> str:
    """Return the field whose kind of values a part has."""
    return part.of.name if isinstance(part, Bits) else part.name


def exactly(name: str, number: int) -> Test:
    """Return the test that a field has one number."""
    return Test((Field(name),), ((((number, number),),),))


def _payload(body: Json) -> Looked:
    if "protocol" not in body:
        return [], (Opaque(f"payload {body['base']}"),)
    protocol, field = body["protocol"], body["field"]
    if protocol in NETWORK:
        implied: list[Step] = [exactly("nfproto", NETWORK[protocol])]
        if field in {"protocol", "nexthdr"}:
            return implied, (Field("l4proto"),)
        plain = field in {"saddr", "daddr"}
    else:
        known = protocol in TRANSPORT
        implied = [exactly("l4proto", TRANSPORT[protocol])] if known else []
        plain = field in {"sport", "dport"} and (known or protocol == "th")
    return implied, (Field(field if plain else f"{protocol} {field}"),)


def _meta(body: Json) -> Looked:
    key = body["key"]
    if key in _INTERFACES:
        return [], (Field(_INTERFACES[key]),)
    if key == "protocol":
        return [], (Field("ether type"),)
    return [], (Field(key),)


def _ct(body: Json) -> Looked:
    key, direction = body["key"], body.get("dir")
    if key in _CT and (direction == "original" or key in {"protocol", "l3proto"}):
        # A packet without a connection has none of them.
        implied: list[Step] = [Test((Field("ct direction"),), ((((0, 1),),),))]
        if key.startswith("ip"):
            implied.append(exactly("nfproto", NETWORK[key.partition(" ")[0]]))
        return implied, (Field(_CT[key]),)
    return [], (Field(f"ct {direction} {key}" if direction else f"ct {key}"),)


_READERS: dict[str, Callable[[Json], Looked]] = {
    "concat": _concatenation,
    "&": _masked,
    "payload": _payload,
    "meta": _meta,
    "ct": _ct,
    "fib": _fib,
}
