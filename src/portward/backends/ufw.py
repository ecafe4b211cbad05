"""A policy as rules of ufw: as its command line takes them, and as they then stand in the kernel.

The forms were read from ufw 0.36.2: what ``ufw show added`` prints, the lines "### tuple ###" of
``/etc/ufw/user.rules``, and what iptables-save shows.
"""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from msgspec.structs import replace

from portward.backends import nft_words as nft
from portward.backends.allowed import Opening
from portward.backends.grants import PROTOCOL_NAMES, Grant, grants, in_charge, sender, version
from portward.backends.incoming import WINDOWS
from portward.backends.sides import Sides
from portward.model.host import Firewall
from portward.model.net import Protocol
from portward.model.plan import UfwRule

NAME = "ufw"
ALLOW, DENY = "allow", "deny"
DEFAULTS = "/etc/default/ufw"
FILES = {4: "/etc/ufw/user.rules", 6: "/etc/ufw/user6.rules"}
SETTINGS = ("DEFAULT_INPUT_POLICY", "DEFAULT_FORWARD_POLICY")
"""What becomes of packets that no rule is about: ACCEPT, DROP or REJECT."""
FAMILIES = {"iptables": 4, "iptables_legacy": 4, "ip6tables": 6, "ip6tables_legacy": 6}
"""The fields of a Firewall in which its chains may be, of either variant of iptables."""

_TUPLE = "### tuple ### "
_VERSIONS = {"ip": 4, "ip6": 6}
_ONLY_IPV4 = frozenset({"ipv6"})
_DECIDES = re.compile(r"ufw6?-user-(input|forward)")
_SKIP = re.compile(r"ufw6?-skip-to-policy-(input|forward)")
_TRACK = re.compile(r"ufw6?-track-(input|forward)")
_OWN_RULE = re.compile(r"-A ufw6?-(before|after)-input .*-j ACCEPT")
_CLIENTS = frozenset({"68", "546"})
"""Ports of the clients of DHCP and DHCPv6."""
_OPEN_POLICY = re.compile(r":(INPUT|FORWARD) ACCEPT\b")


# --- which rules -------------------------------------------------------------------------------


def rules(
    opened: Iterable[Opening], around: Sides, inner: Iterable[str], *, ipv6: bool
) -> tuple[UfwRule, ...]:
    """Return the rules that let in exactly this; inner: networks of containers that are here.

    ipv6: ufw filters IPv6 here; elsewhere it lets nothing in by it, and takes no rules.
    """
    granted = list(grants(opened))
    found = (*_kept_off(granted, around), *_inner(inner), *_bridged(around), *map(_rule, granted))
    return tuple(one for one in found if ipv6 or 4 in _versions(one))  # noqa: PLR2004 - IP's version


def _rule(one: Grant) -> UfwRule:
    said = nft.comment(f"portward: {one.origins}").replace("'", "?")
    if one.protocol == Protocol.RAW:
        name = PROTOCOL_NAMES.get(one.first, str(one.first))
        return UfwRule(verb=ALLOW, protocol=name, source=one.source, comment=said)
    return UfwRule(
        verb=ALLOW,
        protocol=str(one.protocol),
        source=one.source,
        ports=_ports(one.first, one.last),
        comment=said,
    )


def _kept_off(granted: list[Grant], around: Sides) -> Iterator[UfwRule]:
    """Keep NetBIOS and SMB off the internet, where the policy lets them in at all."""
    for interface in around.internet:
        for protocol in (Protocol.TCP, Protocol.UDP):
            for first, last in WINDOWS:
                if any(
                    one.protocol == protocol and one.first <= last and first <= one.last
                    for one in granted
                ):
                    yield UfwRule(
                        verb=DENY,
                        came_by=interface,
                        protocol=str(protocol),
                        ports=_ports(first, last),
                        comment="portward: NetBIOS and SMB never cross the internet",
                    )


def _inner(names: Iterable[str]) -> Iterator[UfwRule]:
    """Let containers and virtual machines have addresses and names, and be passed on."""
    said = "portward: from inner networks"
    for name in names:
        yield UfwRule(verb=ALLOW, came_by=name, protocol="udp", ports="53,67,547", comment=said)
        yield UfwRule(verb=ALLOW, came_by=name, protocol="tcp", ports="53", comment=said)
        yield UfwRule(verb=ALLOW, forward=True, came_by=name, comment=said)


def _bridged(around: Sides) -> Iterator[UfwRule]:
    for name in around.bridged:
        said = "portward: between the ports of a bridge"
        yield UfwRule(verb=ALLOW, forward=True, came_by=name, leaves_by=name, comment=said)


def _ports(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}:{last}"


# --- how each is written -----------------------------------------------------------------------


def typed(rule: UfwRule) -> tuple[str, ...]:
    """Return the words that add a rule, to be put after "ufw"; denials come before all else."""
    return ("prepend", *words(rule)) if rule.verb == DENY else words(rule)


def words(rule: UfwRule) -> tuple[str, ...]:
    """Return a rule as "ufw show added" prints it after "ufw"."""
    found = ["route"] if rule.forward else []
    found.append(rule.verb)
    if rule.came_by:
        found += ["in", "on", rule.came_by]
    if rule.leaves_by:
        found += ["out", "on", rule.leaves_by]
    if rule.source:
        found += ["from", rule.source]
    if rule.ports and not rule.source and not rule.came_by:
        found.append(f"{rule.ports}/{rule.protocol}")
    elif rule.ports:
        found += ["to", "any", "port", rule.ports, "proto", rule.protocol]
    elif rule.protocol:
        found += [*([] if rule.source or rule.came_by else ["to", "any"]), "proto", rule.protocol]
    return (*found, *(["comment", rule.comment] if rule.comment else []))


def saved(rule: UfwRule, family: int) -> str:
    """Return a rule as iptables-save shows it."""
    found = ["-A", _chain(rule, family)]
    if rule.source:
        bits = "" if "/" in rule.source else ("/32" if family == 4 else "/128")  # noqa: PLR2004
        found += ["-s", rule.source + bits]
    found += ["-i", rule.came_by] if rule.came_by else []
    found += ["-o", rule.leaves_by] if rule.leaves_by else []
    found += ["-p", rule.protocol] if rule.protocol else []
    if rule.ports:
        several = not rule.ports.isdigit()
        found += ["-m", "multiport", "--dports"] if several else ["-m", rule.protocol, "--dport"]
        found.append(rule.ports)
    return " ".join([*found, "-j", "ACCEPT" if rule.verb == ALLOW else "DROP"])


def _kept(rule: UfwRule, family: int) -> str:
    """Return a rule as it stands in the file of rules (ufw's own comment to each)."""
    nowhere = "0.0.0.0/0" if family == 4 else "::/0"  # noqa: PLR2004 - IP's version
    ways = [f"in_{rule.came_by}"] if rule.came_by else ["in"]
    ways += [f"out_{rule.leaves_by}"] if rule.leaves_by else []
    found = [
        f"{'route:' if rule.forward else ''}{rule.verb}",
        *(rule.protocol or "any", rule.ports or "any", nowhere, "any", rule.source or nowhere),
        "!".join(ways),
    ]
    return " ".join([*found, *([f"comment={rule.comment.encode().hex()}"] if rule.comment else [])])


def _listed(rule: UfwRule, family: int) -> nft.Json:
    """Return what a rule asks and does as nft's listing has it."""
    found = [nft.meta("iifname", nft.quoted(rule.came_by))] if rule.came_by else []
    found += [nft.meta("oifname", nft.quoted(rule.leaves_by))] if rule.leaves_by else []
    found += sender(rule.source)
    if rule.ports:
        numbers = nft.one_of(map(_numbers, rule.ports.split(",")))
        found.append(nft.payload(rule.protocol, "dport", numbers))
    elif rule.protocol:
        found.append(nft.meta("l4proto", nft.value(rule.protocol)))
    verdict = nft.ACCEPT if rule.verb == ALLOW else nft.DROP
    table = {"family": "ip" if family == 4 else "ip6", "table": "filter"}  # noqa: PLR2004
    expr = [one.json for one in (*found, verdict)]
    return {"rule": {**table, "chain": _chain(rule, family), "expr": expr}}


def _numbers(text: str) -> nft.Words:
    first, _, last = text.partition(":")
    return nft.span(int(first), int(last or first))


def _chain(rule: UfwRule, family: int) -> str:
    six = "" if family == 4 else "6"  # noqa: PLR2004 - IP's version
    return f"ufw{six}-user-{'forward' if rule.forward else 'input'}"


def _versions(rule: UfwRule) -> tuple[int, ...]:
    if rule.source:
        return (version(rule.source),)
    return (4,) if rule.protocol in _ONLY_IPV4 else (4, 6)


def _of(wanted: Iterable[UfwRule], family: int) -> list[UfwRule]:
    return [one for one in wanted if family in _versions(one)]


# --- whether it is so --------------------------------------------------------------------------


def filters(firewall: Firewall, family: int) -> str:
    """Return what iptables-save shows of a family, where ufw has its chains in it; else ""."""
    texts = (getattr(firewall, field) for field, of in FAMILIES.items() if of == family)
    return next((one for one in texts if isinstance(one, str) and has_chains(one, family)), "")


def has_chains(text: str, family: int) -> bool:
    """Say whether iptables-save shows chains of ufw, and so that it filters the family."""
    return f":{'ufw' if family == 4 else 'ufw6'}-user-input " in text  # noqa: PLR2004 - IP's version


def are_loaded(text: str, wanted: Iterable[UfwRule], family: int) -> bool:
    """Say whether iptables-save shows exactly these rules, and denies the rest."""
    table = _filter(text)
    found = [
        line
        for line in table
        if line.startswith("-A ") and _DECIDES.fullmatch(line.split(" ", 2)[1])
    ]
    meant = [saved(one, family) for one in _of(wanted, family)]
    denials = sum(line.endswith(" DROP") for line in meant)
    return (
        sorted(found) == sorted(meant)
        and all(line.endswith(" DROP") for line in found[:denials])
        and not any(map(_OPEN_POLICY.match, table))
    )


def _filter(text: str) -> list[str]:
    """Return the lines of the table that filters."""
    lines = text.splitlines()
    if "*filter" not in lines:
        return []
    table = lines[lines.index("*filter") :]
    return table[: table.index("COMMIT")] if "COMMIT" in table else table


def are_kept(files: dict[str, str], wanted: Iterable[UfwRule]) -> bool:
    """Say whether ufw's files hold these rules for the next boot."""
    rules_wanted = tuple(wanted)
    texts = {family: files[path] for family, path in FILES.items() if path in files}
    return (
        bool(texts)
        and not any(value == "ACCEPT" for value in defaults(files.get(DEFAULTS, "")).values())
        and all(
            sorted(kept_in(text)) == sorted(_kept(one, family) for one in _of(rules_wanted, family))
            for family, text in texts.items()
        )
    )


def kept_in(text: str) -> list[str]:
    """Return the rules of a file of rules but those for what the machine sends."""
    lines = (line[len(_TUPLE) :] for line in text.splitlines() if line.startswith(_TUPLE))
    return [line for line in lines if not _is_outgoing(line)]


def _is_outgoing(line: str) -> bool:
    direction = [word for word in line.split() if not word.startswith("comment=")][-1]
    return direction.partition("_")[0] == "out"


def defaults(text: str) -> dict[str, str]:
    """Return what ufw's file of defaults says becomes of packets that no rule is about."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and name in SETTINGS:
            found[name] = value.strip("\"'").upper()
    return found


def besides(firewall: Firewall) -> tuple[str, ...]:
    """Return what files of ufw let in that its commands do not change: "5353/udp to 224.0.0.251".

    Answers to clients of DHCP are not among them; portward's own table lets them in as well.
    """
    found = (
        line
        for family in FAMILIES.values()
        for line in filters(firewall, family).splitlines()
        if _OWN_RULE.match(line)
    )
    return tuple(dict.fromkeys(said for line in found if (said := _besides(line))))


def _besides(line: str) -> str:
    words_of = line.split()
    said = dict(pairwise(words_of))
    port = said.get("--dport") or said.get("--dports", "")
    if not port or port in _CLIENTS:
        return ""
    to = said.get("-d", "").removesuffix("/32").removesuffix("/128")
    return f"{port}/{said.get('-p', '')}{f' to {to}' if to else ''}"


# --- how it will be ----------------------------------------------------------------------------


def with_rules(firewall: Firewall, wanted: tuple[UfwRule, ...]) -> Firewall:
    """Return the kernel's rules as they are once ufw has these and denies all else."""
    texts = {
        field: _saved_with(text, wanted, family)
        for field, family in FAMILIES.items()
        if isinstance(text := getattr(firewall, field), str) and _DECIDES.search(text)
    }
    firewall = replace(firewall, **texts)
    if isinstance(firewall.nft, str) and {"iptables", "ip6tables"} & texts.keys():
        firewall = replace(firewall, nft=_listing_with(firewall.nft, wanted))
    return in_charge(firewall, NAME)


def with_kept(files: dict[str, str], wanted: tuple[UfwRule, ...]) -> dict[str, str]:
    """Return ufw's files with these rules; of what they hold, what are_kept() asks."""
    found = dict(files)
    for family, path in FILES.items():
        if path in files:
            sent = [line for line in files[path].splitlines() if _is_kept_rule(line)]
            lines = [_TUPLE + _kept(one, family) for one in _of(wanted, family)]
            found[path] = "".join(f"{line}\n" for line in (*sent, *lines))
    if DEFAULTS in files:
        lines = files[DEFAULTS].splitlines()
        found[DEFAULTS] = "".join(f"{_denying(line)}\n" for line in lines)
    return found


def _is_kept_rule(line: str) -> bool:
    return line.startswith(_TUPLE) and _is_outgoing(line)


def _denying(line: str) -> str:
    return next((f'{name}="DROP"' for name in defaults(line) if "ACCEPT" in line), line)


def _saved_with(text: str, wanted: tuple[UfwRule, ...], family: int) -> str:
    """Put the rules into the output of iptables-save, at the end of the table of ufw's chains."""
    lines = []
    within = False
    for line in text.splitlines():
        words_of = line.split()
        within = line == "*filter" or (within and not line.startswith("*"))
        chain = words_of[1] if words_of[:1] == ["-A"] else ""
        if _DECIDES.fullmatch(chain) or _TRACK.fullmatch(chain):
            continue
        if _SKIP.fullmatch(chain):
            line = line.replace("-j ACCEPT", "-j DROP")  # noqa: PLW2901 - the same, mended
        if within and line.startswith((":INPUT ACCEPT", ":FORWARD ACCEPT")):
            line = line.replace(" ACCEPT", " DROP", 1)  # noqa: PLW2901 - the same, mended
        if within and line == "COMMIT":
            lines += [saved(one, family) for one in _of(wanted, family)]
        lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def _listing_with(text: str, wanted: tuple[UfwRule, ...]) -> str:
    document = json.loads(text)
    items = document["nftables"]
    ours = {
        _VERSIONS[body["family"]]
        for item in items
        for kind, body in item.items()
        if kind == "chain" and _DECIDES.fullmatch(body["name"]) and body["family"] in _VERSIONS
    }
    kept = [mended for item in items if (mended := _item_with(item)) is not None]
    added = [_listed(one, family) for family in sorted(ours) for one in _of(wanted, family)]
    return json.dumps({**document, "nftables": [*kept, *added]})


def _item_with(item: dict[str, Any]) -> dict[str, Any] | None:
    ((kind, body),) = item.items()
    chain = str(body.get("chain", ""))
    if kind == "rule" and (_DECIDES.fullmatch(chain) or _TRACK.fullmatch(chain)):
        return None
    if kind == "rule" and _SKIP.fullmatch(chain):
        return {kind: {**body, "expr": [nft.DROP.json]}}
    opens = kind == "chain" and body.get("table") == "filter" and body.get("policy") == "accept"
    if opens and body["family"] in _VERSIONS and body.get("name") in {"INPUT", "FORWARD"}:
        return {kind: {**body, "policy": "drop"}}
    return item
