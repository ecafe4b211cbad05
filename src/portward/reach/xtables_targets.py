"""What the targets of iptables do, as steps of a rule (iptables-extensions(8))."""

from collections.abc import Callable, Collection

from portward.reach.ruleset import (
    Assign,
    Field,
    Kind,
    Opaque,
    Step,
    Target,
    Translate,
    Untrack,
    Verdict,
)
from portward.reach.xtables_conntrack import TRACKED
from portward.reach.xtables_values import MAX_PORT, WORD, addresses, masked, number, span
from portward.reach.xtables_words import Extension, Words

_PLAIN: dict[str, Step] = {
    "ACCEPT": Verdict(Kind.ACCEPT),
    "DROP": Verdict(Kind.DROP),
    "REJECT": Verdict(Kind.REJECT),
    "RETURN": Verdict(Kind.RETURN),
    "QUEUE": Verdict(Kind.QUEUE),
    "NFQUEUE": Verdict(Kind.QUEUE),
    "SNAT": Translate("snat", None),
    "MASQUERADE": Translate("masquerade", None),
    "NOTRACK": Untrack(),
}
NO_EFFECT = frozenset(
    {
        *("LOG", "NFLOG", "ULOG", "AUDIT", "TRACE", "TCPMSS", "TCPOPTSTRIP", "TTL", "HL", "ECN"),
        *("CLASSIFY", "DSCP", "TOS", "CHECKSUM", "TEE", "SECMARK", "CONNSECMARK", "IDLETIMER"),
        *("LED", "RATEEST", "SNPT", "FLOWOFFLOAD"),
    }
)
"""Targets that write, count or change what no rule about reach looks at."""
_MARK, _CT_MARK = Field("mark"), Field("ct mark")


def target(rule: Words, chains: Collection[str], bits: int) -> list[Step]:
    """Read a rule's target; chains are the table's own. ValueError where it makes no sense."""
    given = rule.target
    if given is None:
        return []
    name = given.name
    if rule.goes:
        return [Verdict(Kind.GOTO, name)]
    if name in chains:
        return [Verdict(Kind.JUMP, name)]
    reader = _TARGETS.get(name)
    if reader is not None:
        return reader(given, bits)
    return by_name(name)


def by_name(name: str) -> list[Step]:
    """Return what a target does of which only the name is known."""
    if name in _PLAIN:
        return [_PLAIN[name]]
    if name in NO_EFFECT:
        return []
    unknown = Opaque(f"-j {name}")
    if name == "MARK":
        return [Assign(_MARK, unknown, WORD, 0)]
    if name == "CONNMARK":
        return [Assign(_MARK, unknown, WORD, 0), Assign(_CT_MARK, unknown, WORD, 0)]
    return [unknown, Verdict(Kind.QUEUE)]  # perhaps the packet's way ends with it


def _destination(given: Extension, bits: int) -> list[Step]:
    family = 4 if bits == 32 else 6  # noqa: PLR2004 - IPv4
    targets = [
        _target(option.value, bits)
        for option in given.options
        if option.name in {"--to-destination", "--to-ports"}
    ]
    if not targets:
        if given.name == "DNAT":
            raise ValueError("DNAT needs --to-destination")
        targets = [Target()]
    return [Translate(given.name.lower(), family, tuple(targets))]


def _target(text: str, bits: int) -> Target:
    """Read "10.0.0.1-10.0.0.9:80-90", "[fd00::1]:80", ":80", and "80" of REDIRECT."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text[:1].isdigit() and "." not in text and ":" not in text:
        address, port = "", text
    elif bits == 32 or text.startswith(":"):  # noqa: PLR2004 - IPv4
        address, _, port = text.partition(":")
    else:
        address, port = text, ""
    port = port.partition("/")[0]  # the base of a shifted range
    return Target(
        address=addresses(address.replace("[", "").replace("]", ""), bits) if address else None,
        port=span(port, "-", MAX_PORT) if port else None,
    )


def _mark(given: Extension, _bits: int) -> list[Step]:
    steps: list[Step] = []
    for option in given.options:
        keep, flip = _change(option.name, option.value)
        steps.append(Assign(_MARK, _MARK, keep, flip))
    return steps


def _change(name: str, text: str) -> tuple[int, int]:
    """Return keep and flip of "(mark & keep) ^ flip"."""
    if name == "--and-mark":
        return number(text), 0
    if name == "--or-mark":
        return ~number(text) & WORD, number(text)
    if name == "--xor-mark":
        return WORD, number(text)
    value, mask = masked(text)
    if name == "--set-mark":
        return ~(mask | value) & WORD, value
    if name != "--set-xmark":
        raise ValueError(f"{name} is no way to set a mark")
    return ~mask & WORD, value


def _connection_mark(given: Extension, _bits: int) -> list[Step]:
    """Read CONNMARK, as connmark_tg_shift() of xt_connmark.c does it."""
    names = {option.name for option in given.options}
    if names & {"--left-shift-mark", "--right-shift-mark"}:
        return by_name("CONNMARK")
    masks = {
        option.name: number(option.value)
        for option in given.options
        if option.name in {"--mask", "--nfmask", "--ctmask"}
    }
    both = masks.get("--mask", WORD)
    packet, connection = masks.get("--nfmask", both), masks.get("--ctmask", both)
    if "--save-mark" in names:
        return [TRACKED, Assign(_CT_MARK, _MARK, packet, 0, ~connection & WORD)]
    if "--restore-mark" in names:
        return [TRACKED, Assign(_MARK, _CT_MARK, connection, 0, ~packet & WORD)]
    steps: list[Step] = [TRACKED]
    for option in given.options:
        keep, flip = _change(option.name, option.value)
        steps.append(Assign(_CT_MARK, _CT_MARK, keep, flip))
    return steps


def _tracking(given: Extension, _bits: int) -> list[Step]:
    return [Untrack()] if given.name == "NOTRACK" or given.option("--notrack") else []


def _ip_set(given: Extension, _bits: int) -> list[Step]:
    """Read SET: only a map of marks changes the packet."""
    return _unknown_mark(given, _bits) if given.option("--map-set") else []


def _unknown_mark(given: Extension, _bits: int) -> list[Step]:
    return [Assign(_MARK, Opaque(f"-j {given.name}"), WORD, 0)]


_TARGETS: dict[str, Callable[[Extension, int], list[Step]]] = {
    "DNAT": _destination,
    "REDIRECT": _destination,
    "MARK": _mark,
    "CONNMARK": _connection_mark,
    "NOTRACK": _tracking,
    "CT": _tracking,
    "SET": _ip_set,
    "HMARK": _unknown_mark,
}
