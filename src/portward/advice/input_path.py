"""What the firewall certainly does with incoming packets, as far as that is plain to see.

Two answers are certain without evaluating any match: nothing in the ruleset can drop a packet
that comes in, or a packet that no rule names is dropped. All else is "unsure" until the rules
are evaluated. Looking for words in the text instead would pass rulesets that accept everything
(policy drop, then a rule "accept") and fail good ones.
"""

import json
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any, NamedTuple

from portward.model.host import Firewall
from portward.model.net import Family
from portward.model.unknown import Maybe, Unknown

_FAMILIES = {
    Family.IPV4: frozenset({"ip", "inet", "bridge", "netdev"}),
    Family.IPV6: frozenset({"ip6", "inet", "bridge", "netdev"}),
}
_HOOKS = frozenset({"input", "prerouting", "ingress"})
"""Hooks that a packet for this host passes (nft(8), "ADDRESS FAMILIES")."""

_HARMLESS = frozenset({"counter", "log", "comment"})
"""Statements that neither match nor decide."""

_VERDICTS = {"accept": "accept", "drop": "drop", "reject": "drop", "return": "return"}
_MAY_DROP = frozenset({"drop", "reject", "vmap", "queue", "synproxy", "xt"})
_PASSING_TARGETS = frozenset({"ACCEPT", "RETURN", "LOG", "NFLOG", "MARK", "CONNMARK", "CT"})

_DEEPEST = 16
"""The kernel's own limit of nested jumps (NFT_JUMP_STACK_SIZE, nf_tables.h)."""


class Way(Enum):
    """What happens to a packet that no rule names."""

    OPEN = auto()
    """Nothing on the way in can drop it."""
    DENIED = auto()
    UNSURE = auto()


class _Rules(NamedTuple):
    """A ruleset without its matches."""

    entries: dict[str, str]
    """Base chains on the way in, each with its policy in lower case."""
    plain: dict[str, list[tuple[str, str]]]
    """Of each chain the rules without a match: a verdict, and the chain it jumps to."""
    may_drop: bool
    """Some rule may drop a packet."""


def way_in(firewall: Firewall, family: Family) -> Maybe[Way]:
    """Say what the whole ruleset does by default with packets of a family that come in."""
    iptables = firewall.iptables if family == Family.IPV4 else firewall.ip6tables
    legacy = firewall.iptables_legacy if family == Family.IPV4 else firewall.ip6tables_legacy
    rulesets = []
    for text, read in ((firewall.nft, _read_nft), (legacy, _read_save)):
        if isinstance(text, Unknown):
            return text
        rulesets += [] if text is None else [read(text, family)]
    if isinstance(iptables, str):  # what nft shows as well, but here with its targets readable
        rulesets.append(_read_save(iptables, family))
    if any(ruleset is None for ruleset in rulesets):
        return Unknown("the ruleset cannot be read")
    known = [ruleset for ruleset in rulesets if ruleset]
    if any(_denies(ruleset) for ruleset in known):
        return Way.DENIED
    return Way.UNSURE if any(ruleset.may_drop for ruleset in known) else Way.OPEN


def _denies(ruleset: _Rules) -> bool:
    fates = ((_fate(chain, ruleset, _DEEPEST), policy) for chain, policy in ruleset.entries.items())
    return any((fate or policy) == "drop" for fate, policy in fates)


def _fate(chain: str, ruleset: _Rules, depth: int) -> str:
    """Say what the rules without a match decide: "accept", "drop", or "" for neither."""
    for verb, target in ruleset.plain.get(chain, []) if depth else []:
        if verb in {"accept", "drop"}:
            return verb
        if verb == "return":
            return ""
        fate = _fate(target, ruleset, depth - 1)
        if fate or verb == "goto":
            return fate
    return ""


def _read_nft(text: str, family: Family) -> _Rules | None:
    """Read ``nft -j list ruleset`` (libnftables-json(5)); None where it is something else."""
    entries: dict[str, str] = {}
    plain: dict[str, list[tuple[str, str]]] = {}
    may_drop = False
    try:
        for item in json.loads(text)["nftables"]:
            chain = item.get("chain")
            if chain and chain["family"] in _FAMILIES[family] and chain.get("hook") in _HOOKS:
                entries[_name(chain, chain["name"])] = chain.get("policy", "accept")
            rule = item.get("rule")
            if rule and rule["family"] in _FAMILIES[family]:
                statements = rule.get("expr", [])
                may_drop |= any(verb in _MAY_DROP for one in statements for verb in one)
                verdicts = plain.setdefault(_name(rule, rule["chain"]), [])
                verdicts += _plain_verdict(statements, rule)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return _Rules(entries, plain, may_drop)


def _plain_verdict(
    statements: list[dict[str, Any]], rule: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield the verdict of a rule that matches every packet."""
    deciding = [(verb, one[verb]) for one in statements for verb in one if verb not in _HARMLESS]
    if len(deciding) != 1:
        return
    verb, argument = deciding[0]
    if verb in _VERDICTS:
        yield _VERDICTS[verb], ""
    elif verb in {"jump", "goto"}:
        yield verb, _name(rule, argument["target"])


def _name(item: dict[str, Any], chain: str) -> str:
    return f"{item['family']} {item['table']} {chain}"


def _read_save(text: str, _family: Family) -> _Rules | None:
    """Read iptables-save; address translation cannot drop, so the nat table is passed over."""
    entries: dict[str, str] = {}
    plain: dict[str, list[tuple[str, str]]] = {}
    may_drop, table, own = False, "", set[str]()
    for words in map(str.split, text.splitlines()):
        if words and words[0].startswith("*"):
            table, own = words[0][1:], set()
        elif table == "nat" or len(words) < 2:  # noqa: PLR2004 - a chain and its policy
            continue
        elif words[0].startswith(":"):
            chain = words[0][1:]
            own |= {chain} if words[1] == "-" else set()
            if chain in {"INPUT", "PREROUTING"}:
                entries[f"{table} {chain}"] = words[1].lower()
        elif words[0] == "-A":
            flag = next((word for word in ("-j", "-g") if word in words[:-1]), None)
            target = words[words.index(flag) + 1] if flag else "RETURN"
            may_drop |= target not in own and target not in _PASSING_TARGETS
            if flag and words[2] == flag:
                verb = {"REJECT": "drop"}.get(target, target.lower())
                verb = verb if target not in own else "jump" if flag == "-j" else "goto"
                if verb in {"accept", "drop", "return", "jump", "goto"}:
                    plain.setdefault(f"{table} {words[1]}", []).append((verb, f"{table} {target}"))
    return _Rules(entries, plain, may_drop)
