"""The parts of an nft ruleset, each as text for ``nft -f`` and as nft itself lists it in JSON.

Both come from one place, so that what reach is asked about and what the kernel loads cannot
differ. Text: nft(8). JSON: libnftables-json(5), in the form that nft 1.0 prints.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from portward.backends.addresses import Range, length, written

FAMILY = "inet"
_MOST_COMMENT = 120
"""The kernel's library takes 128 bytes (NFTNL_UDATA_COMMENT_MAXLEN)."""

Json: TypeAlias = Any
"""What json.dumps takes."""


class Words(NamedTuple):
    """A match, a statement or a verdict."""

    text: str
    json: Json


class Rule(NamedTuple):
    """Words from left to right; the first that does not hold ends the rule."""

    words: tuple[Words, ...]
    comment: str = ""


class Chain(NamedTuple):
    """A chain that is jumped to, or tied to a hook of the kernel."""

    name: str
    rules: tuple[Rule, ...]
    kind: str = ""
    hook: str = ""
    priority: int = 0
    policy: str = ""


class Element(NamedTuple):
    """A value of a set, or a key of a map with its verdict."""

    key: Words
    verdict: Words | None = None
    comment: str = ""


class Set(NamedTuple):
    """A named set of addresses or ports, or a map from ports to verdicts."""

    name: str
    type: str
    elements: tuple[Element, ...] = ()
    flags: tuple[str, ...] = ("interval",)
    size: int = 0
    timeout: int = 0
    """In seconds; 0: none."""

    @property
    def is_map(self) -> bool:
        """Say whether its elements have verdicts."""
        return any(element.verdict for element in self.elements)


class Parts(NamedTuple):
    """What a table is made of."""

    sets: tuple[Set, ...] = ()
    chains: tuple[Chain, ...] = ()

    def __add__(self, other: object) -> "Parts":
        """Put the parts of two together."""
        if not isinstance(other, Parts):
            return NotImplemented
        return Parts(self.sets + other.sets, self.chains + other.chains)


# --- matches -----------------------------------------------------------------------------------


def payload(protocol: str, field: str, value: Words, op: str = "==") -> Words:
    """Compare a field of a header."""
    sign = "" if op == "==" else f"{op} "
    left = {"payload": {"protocol": protocol, "field": field}}
    return Words(
        f"{protocol} {field} {sign}{value.text}",
        {"match": {"op": op, "left": left, "right": value.json}},
    )


_BY_NUMBER = {"igmp": 2, "ipv6-icmp": 58}
"""Protocols that nft has no word of its own for (IANA protocol numbers)."""


def meta(key: str, value: Words, op: str = "==") -> Words:
    """Compare what belongs to a packet without being in it."""
    sign = "" if op == "==" else f"{op} "
    plain = key in {"iifname", "oifname"}
    return Words(
        f"{'' if plain else 'meta '}{key} {sign}{value.text}",
        {"match": {"op": op, "left": {"meta": {"key": key}}, "right": value.json}},
    )


def ct_state(*states: str) -> Words:
    """Ask for one of several states of the connection."""
    right: Json = list(states) if len(states) > 1 else states[0]
    return Words(
        f"ct state {','.join(states)}",
        {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": right}},
    )


def ct_status(status: str) -> Words:
    """Ask for a bit of the connection's status."""
    return Words(
        f"ct status {status}",
        {"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": status}},
    )


def is_in(key: Words, name: str) -> Words:
    """Look a value up in a set."""
    return Words(
        f"{key.text} @{name}", {"match": {"op": "==", "left": key.json, "right": f"@{name}"}}
    )


def tcp_flags(mask: tuple[str, ...], wanted: tuple[str, ...]) -> Words:
    """Compare some of the TCP flags with what they must all be."""
    field = {"payload": {"protocol": "tcp", "field": "flags"}}
    right: Json = list(wanted) if len(wanted) > 1 else (wanted[0] if wanted else 0)
    values = "|".join(wanted) if wanted else "0x0"
    return Words(
        f"tcp flags & ({'|'.join(mask)}) == {values}",
        {"match": {"op": "==", "left": {"&": [field, list(mask)]}, "right": right}},
    )


# --- what is looked up -------------------------------------------------------------------------


def field(protocol: str, name: str) -> Words:
    """Name a field of a header, for a set or a map."""
    return Words(f"{protocol} {name}", {"payload": {"protocol": protocol, "field": name}})


def masked(of: Words, mask: str) -> Words:
    """Look at a field through a mask."""
    return Words(f"{of.text} & {mask}", {"&": [of.json, mask]})


L4PROTO = Words("meta l4proto", {"meta": {"key": "l4proto"}})
FIRST_PORT = Words("ct original proto-dst", {"ct": {"key": "proto-dst", "dir": "original"}})
"""The port that a connection was opened to, whatever translation has made of it."""


def concat(*parts: Words) -> Words:
    """Look at several fields at once."""
    return Words(" . ".join(one.text for one in parts), {"concat": [one.json for one in parts]})


# --- values ------------------------------------------------------------------------------------


def value(plain: str | int) -> Words:
    """Write a name or a number."""
    return Words(str(plain), plain)


def protocol(name: str) -> Words:
    """Write an IP protocol so that nft knows it also where there is no /etc/protocols."""
    return Words(str(_BY_NUMBER.get(name, name)), name)


def quoted(name: str) -> Words:
    """Write a name of an interface."""
    return Words(f'"{name}"', name)


def one_of(values: Iterable[Words]) -> Words:
    """Write a set without a name; a single value stands alone."""
    found = list(values)
    if len(found) == 1:
        return found[0]
    return Words(
        "{ " + ", ".join(one.text for one in found) + " }", {"set": [one.json for one in found]}
    )


def named(name: str) -> Words:
    """Refer to a set or a map."""
    return Words(f"@{name}", f"@{name}")


def prefix(text: str) -> Words:
    """Write a network, or an address alone."""
    address, _, bits = text.partition("/")
    if not bits:
        return Words(address, address)
    return Words(text, {"prefix": {"addr": address, "len": int(bits)}})


def addresses(ranges: Iterable[Range], version: int) -> tuple[Words, ...]:
    """Write ranges of addresses as the elements of a set."""
    return tuple(_addresses(first, last, version) for first, last in ranges)


def _addresses(first: int, last: int, version: int) -> Words:
    text = written(first, version)
    if first == last:
        return Words(text, text)
    bits = length(first, last, version)
    if bits is not None:
        return Words(f"{text}/{bits}", {"prefix": {"addr": text, "len": bits}})
    end = written(last, version)
    return Words(f"{text}-{end}", {"range": [text, end]})


def span(first: int, last: int) -> Words:
    """Write a range of ports."""
    if first == last:
        return value(first)
    return Words(f"{first}-{last}", {"range": [first, last]})


# --- statements --------------------------------------------------------------------------------

ACCEPT = Words("accept", {"accept": None})
DROP = Words("drop", {"drop": None})
UNREACHABLE = Words(
    "reject with icmpx type admin-prohibited",
    {"reject": {"type": "icmpx", "expr": "admin-prohibited"}},
)
COUNTER = Words("counter", {"counter": {"packets": 0, "bytes": 0}})
MASQUERADE = Words("masquerade", {"masquerade": None})


def jump(chain: str) -> Words:
    """Go on in another chain, and come back."""
    return Words(f"jump {chain}", {"jump": {"target": chain}})


def goto(chain: str) -> Words:
    """Go on in another chain for good."""
    return Words(f"goto {chain}", {"goto": {"target": chain}})


def add(name: str, key: Words) -> Words:
    """Add to a set; a full one ends the rule."""
    return Words(
        f"add @{name} {{ {key.text} }}",
        {"set": {"op": "add", "elem": key.json, "set": f"@{name}"}},
    )


def over(name: str, key: Words, rate: int, per: str, burst: int) -> Words:
    """Hold for those alone who are over a limit of their own; a full set ends the rule."""
    inverted = {"limit": {"rate": rate, "burst": burst, "per": per, "inv": True}}
    return Words(
        f"update @{name} {{ {key.text} limit rate over {rate}/{per} burst {burst} packets }}",
        {"set": {"op": "update", "elem": key.json, "set": f"@{name}", "stmt": [inverted]}},
    )


def dispatch(key: Words, table: str) -> Words:
    """Look a value up in a map of verdicts."""
    return Words(f"{key.text} vmap @{table}", {"vmap": {"key": key.json, "data": f"@{table}"}})


def limit(rate: int, per: str, burst: int) -> Words:
    """Hold for so many packets in a time, and a burst."""
    return Words(
        f"limit rate {rate}/{per} burst {burst} packets",
        {"limit": {"rate": rate, "burst": burst, "per": per}},
    )


def log(prefix_text: str, group: int, length: int) -> Words:
    """Send the beginning of a packet to whoever listens on a group of NFLOG."""
    return Words(
        f'log prefix "{prefix_text}" group {group} snaplen {length}',
        {"log": {"prefix": prefix_text, "group": group, "snaplen": length}},
    )


# --- whole rulesets ----------------------------------------------------------------------------


def comment(text: str) -> str:
    """Make a text fit to be a comment: printable, without quotes, not too long."""
    plain = "".join(
        one if one.isascii() and one.isprintable() and one not in '"\\' else "?" for one in text
    )
    return plain[:_MOST_COMMENT]


def table_text(name: str, parts: Parts) -> str:
    """Write a table that takes the place of one of the same name, in one transaction."""
    blocks = [_set_text(one) for one in parts.sets] + [_chain_text(one) for one in parts.chains]
    return (
        f"table {FAMILY} {name} {{ }}\ndelete table {FAMILY} {name}\n\n"
        f"table {FAMILY} {name} {{\n" + "\n".join(blocks) + "}\n"
    )


def _set_text(of: Set) -> str:
    kind = "map" if of.is_map else "set"
    lines = [f"\ttype {of.type}{' : verdict' if of.is_map else ''}"]
    if of.size:
        lines.append(f"\tsize {of.size}")
    if of.flags:
        lines.append(f"\tflags {', '.join(of.flags)}")
    if of.timeout:
        lines.append(f"\ttimeout {of.timeout}s")
    if of.elements:
        elements = ",\n\t\t\t".join(map(_element_text, of.elements))
        lines.append(f"\telements = {{\n\t\t\t{elements}\n\t\t}}")
    return f"\t{kind} {of.name} {{\n" + "".join(f"\t{line}\n" for line in lines) + "\t}\n"


def _element_text(element: Element) -> str:
    said = f' comment "{element.comment}"' if element.comment else ""
    verdict = f" : {element.verdict.text}" if element.verdict else ""
    return f"{element.key.text}{said}{verdict}"


def _chain_text(chain: Chain) -> str:
    lines = []
    if chain.hook:
        lines.append(
            f"type {chain.kind} hook {chain.hook} priority {chain.priority}; policy {chain.policy};"
        )
    lines += map(_rule_text, chain.rules)
    return f"\tchain {chain.name} {{\n" + "".join(f"\t\t{line}\n" for line in lines) + "\t}\n"


def _rule_text(rule: Rule) -> str:
    words = " ".join(one.text for one in rule.words)
    return f'{words} comment "{rule.comment}"' if rule.comment else words


def listing(name: str, parts: Parts) -> tuple[Json, ...]:
    """Return the items by which ``nft -j list ruleset`` shows the table."""
    of_table = {"family": FAMILY, "table": name}
    items: list[Json] = [{"table": {"family": FAMILY, "name": name}}]
    items += [_set_item(one, of_table) for one in parts.sets]
    items += [_chain_item(one, of_table) for one in parts.chains]
    for chain in parts.chains:
        items += [_rule_item(rule, chain.name, of_table) for rule in chain.rules]
    return tuple(items)


def _set_item(of: Set, of_table: Json) -> Json:
    body = {**of_table, "name": of.name, "type": of.type, "flags": list(of.flags)}
    if of.is_map:
        body["map"] = "verdict"
    if of.size:
        body["size"] = of.size
    if of.timeout:
        body["timeout"] = of.timeout
    if of.elements:
        body["elem"] = [_element_item(one) for one in of.elements]
    return {"map" if of.is_map else "set": body}


def _element_item(element: Element) -> Json:
    key = element.key.json
    if element.comment:
        key = {"elem": {"val": key, "comment": element.comment}}
    return [key, element.verdict.json] if element.verdict else key


def _chain_item(chain: Chain, of_table: Json) -> Json:
    body = {**of_table, "name": chain.name}
    if chain.hook:
        body |= {"type": chain.kind, "hook": chain.hook}
        body |= {"prio": chain.priority, "policy": chain.policy}
    return {"chain": body}


def _rule_item(rule: Rule, chain: str, of_table: Json) -> Json:
    said = {"comment": rule.comment} if rule.comment else {}
    return {"rule": {**of_table, "chain": chain, **said, "expr": [one.json for one in rule.words]}}
