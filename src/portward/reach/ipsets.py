"""Sets of ipset, which rules of iptables ask by name, as ``ipset save`` prints them (ipset(8)).

What is not understood, and a set that packets change, stays a question without an answer.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import NamedTuple

from portward.reach import names
from portward.reach.ruleset import (
    Chance,
    Field,
    Names,
    Opaque,
    Part,
    Row,
    Step,
    Test,
    Values,
)
from portward.reach.xtables_values import MAX_PORT, number
from portward.reach.xtables_words import Extension

_FIELDS = {
    "ip": ("saddr", "daddr"),
    "net": ("saddr", "daddr"),
    "port": ("sport", "dport"),
    "iface": ("iifname", "oifname"),
    "mark": ("mark", "mark"),
}
"""What a part of an element is compared with, by "src" and "dst"."""
_PLAIN = frozenset({"--match-set"})
_MASKS = frozenset({"netmask", "bitmask", "markmask"})
_SPECIAL = frozenset({"nomatch", "wildcard"})
"""What follows an element that is an exception, or stands for all names that begin so."""
_FIRST_WORDS = frozenset({"create", "add"})
_CHANGES = re.compile(r"--(?:add|del)-set (\S+)")


class IpSet(NamedTuple):
    """A set: the kinds of its parts, and the words of each element."""

    kinds: tuple[str, ...]
    """"ip", "net", "port", "iface"...; empty: a list of other sets."""
    elements: list[list[str]]
    by_protocol: bool
    """Its ports have a protocol each: "tcp:22"."""


class IpSets(NamedTuple):
    """All sets of a machine, and the names of those that rules add to."""

    known: Mapping[str, IpSet] = {}
    changing: frozenset[str] = frozenset()


NONE = IpSets()
"""Of no set it is known what it holds."""


def read(text: str) -> dict[str, IpSet]:
    """Read the output of ``ipset save``; ValueError where it is none."""
    found: dict[str, IpSet] = {}
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] not in _FIRST_WORDS or len(words) < 3:  # noqa: PLR2004 - command, set, rest
            raise ValueError(f"{line[:60]!r} is no line of ipset save")
        if words[0] == "create":
            method, _, kinds = words[2].partition(":")
            parts = () if method == "list" else tuple(kinds.split(","))
            if _MASKS & {*words}:  # an element stands for others that look the same through it
                parts = ("masked",)
            found[words[1]] = IpSet(parts, [], method == "hash")
        elif words[1] not in found:
            raise ValueError(f"there is no set {words[1]}")
        else:
            found[words[1]].elements.append(words[2:])
    return found


def changed_by(rules: str) -> frozenset[str]:
    """Return the names of the sets that rules of iptables add to or take from."""
    return frozenset(_CHANGES.findall(rules))


def match(extension: Extension, sets: IpSets = NONE) -> list[Step]:
    """Read ``-m set``."""
    option = extension.option("--match-set")
    name = option.value if option else ""
    unknown: list[Step] = [Opaque(f"the ipset {name}".rstrip())]
    if option is None or len(option.values) != 2:  # noqa: PLR2004 - name and directions
        return unknown
    if any(one.name not in _PLAIN for one in extension.options) or name not in sets.known:
        return unknown
    if name in sets.changing:
        return [Chance(f"the changing ipset {name}")]
    directions = option.values[1].split(",")
    try:
        parts, rows = _looked_up(sets.known, name, directions)
    except (KeyError, ValueError, IndexError):
        return unknown
    return [Test(parts, rows, option.negated)]


def _looked_up(
    sets: Mapping[str, IpSet], name: str, directions: list[str]
) -> tuple[tuple[Part, ...], tuple[Row, ...]]:
    """Return what is compared, and the elements; KeyError or ValueError where that is unknown."""
    known = sets[name]
    if not known.kinds:  # a list: in one of its sets, all of which have to be of one type
        found = [_looked_up(sets, words[0], directions) for words in known.elements]
        parts = {one for one, _ in found}
        if len(parts) != 1:
            raise ValueError(name)
        return parts.pop(), tuple(row for _, rows in found for row in rows)
    fields: list[str] = []
    for kind, direction in zip(known.kinds, directions, strict=False):
        if kind == "port" and known.by_protocol:
            fields.append("l4proto")
        fields.append(_FIELDS[kind][direction == "dst"])
    if len(directions) < len(known.kinds):
        raise ValueError(name)
    rows = [_row(words, known) for words in known.elements]
    if len(fields) == 1 and all(not isinstance(row[0], Names) for row in rows):
        spans = tuple(span for row in rows if not isinstance(row[0], Names) for span in row[0])
        rows = [(spans,)] if spans else []
    return tuple(map(Field, fields)), tuple(rows)


def _row(words: list[str], known: IpSet) -> Row:
    """Read an element; ValueError where it excepts something, or nothing is known of its kind."""
    if _SPECIAL & {*words}:
        raise ValueError(words)
    row: list[Values] = []
    for kind, text in zip(known.kinds, words[0].split(","), strict=True):
        row += _values(kind, text, by_protocol=known.by_protocol)
    return tuple(row)


def _values(kind: str, text: str, *, by_protocol: bool) -> list[Values]:
    if kind == "iface":
        if text.startswith("physdev:"):
            raise ValueError(text)
        return [Names((text,))]
    if kind == "mark":
        mark = number(text)
        return [((mark, mark),)]
    if kind == "port":
        protocol, colon, port = text.rpartition(":")
        span = _port(port)
        if not by_protocol:
            return [(span,)]
        found = names.PROTOCOLS[protocol] if colon else names.PROTOCOLS["tcp"]
        return [((found, found),), (span,)]
    first, dash, last = text.partition("-")
    low = ip_network(first, strict=False)
    high = ip_network(last, strict=False) if dash else low
    return [((int(low.network_address), int(high.broadcast_address)),)]


def _port(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    low = number(first, MAX_PORT)
    return low, number(last, MAX_PORT) if dash else low
