"""The match "conntrack" and its forerunner "state", as xt_conntrack.c of the kernel decides."""

from collections.abc import Iterator

from portward.reach.ruleset import Bits, Field, Opaque, Range, Step, Test
from portward.reach.xtables_values import (
    ANY,
    MAX_PORT,
    SOME,
    bits_of,
    network_test,
    one_of,
    protocol,
    ranges_test,
)
from portward.reach.xtables_words import Extension, Option

_STATES = {"INVALID": 1, "ESTABLISHED": 2, "RELATED": 4, "NEW": 8, "UNTRACKED": 64}
_NAT = {"SNAT": 16, "DNAT": 32}
"""IPS_SRC_NAT and IPS_DST_NAT, which iptables takes for states."""
_STATUSES = {"NONE": 0, "EXPECTED": 1, "SEEN_REPLY": 2, "ASSURED": 4, "CONFIRMED": 8}
_ADDRESSES = {
    "--ctorigsrc": "original saddr",
    "--ctorigdst": "original daddr",
    "--ctreplsrc": "daddr",
    "--ctrepldst": "original saddr",
}
"""The reply of a connection's first packet comes from its destination after translation."""
_PORTS = {
    "--ctorigsrcport": "original sport",
    "--ctorigdstport": "original dport",
    "--ctreplsrcport": "dport",
    "--ctrepldstport": "original sport",
}

_STATE = Field("ct state")
_WITHOUT = Bits(_STATE, _STATES["INVALID"] | _STATES["UNTRACKED"])
TRACKED = one_of(_WITHOUT, ((0, 0),))
"""Connection tracking has an entry for the packet."""


def state(option: Option, _bits: int) -> list[Step]:
    """Read --state and --ctstate: one of these states, or translated in one of these ways."""
    wanted = bits_of(option.value, _STATES | {name: bit << 16 for name, bit in _NAT.items()})
    states, translations = wanted & 0xFFFF, wanted >> 16
    seen, status = Bits(_STATE, states), Bits(Field("ct status"), translations)
    if not translations:
        return [one_of(seen, SOME, negated=option.negated)]
    if not states:
        return [one_of(status, SOME, negated=option.negated)]
    return [Test((seen, status), ((SOME, ANY), (ANY, SOME)), option.negated)]


def conntrack(match: Extension, bits: int) -> list[Step]:
    """Read all options: they hold together, but a packet without entry is asked its state alone."""
    wanted = match.option("--ctstate")
    others = [one for one in match.options if one is not wanted]
    if wanted is None:
        return [TRACKED, *_others(others, bits)]
    found = state(wanted, bits)
    if not _may_be_without(wanted):
        return found + list(_others(others, bits))
    return found + [_unless_without(one) for one in _others(others, bits)]


def _others(options: list[Option], bits: int) -> Iterator[Step]:
    for option in options:
        name = option.name
        if name in _ADDRESSES:
            yield network_test(_ADDRESSES[name], option.value, bits, negated=option.negated)
        elif name in _PORTS:
            yield ranges_test(_PORTS[name], option, ":", MAX_PORT)
        elif name == "--ctproto" and (found := protocol(option.value)) is not None:
            yield one_of("l4proto", ((found, found),), negated=option.negated)
        elif name == "--ctstatus":
            mask = bits_of(option.value, _STATUSES)
            yield one_of(Bits(Field("ct status"), mask), SOME, negated=option.negated)
        elif name == "--ctdir":
            way = bits_of(option.value, {"ORIGINAL": 0, "REPLY": 1})
            yield one_of("ct direction", ((way, way),), negated=option.negated)
        else:
            yield Opaque(f"-m conntrack {name}")


def _may_be_without(wanted: Option) -> bool:
    states = set(wanted.value.split(","))
    without = {"INVALID", "UNTRACKED"}
    return bool(without - states if wanted.negated else without & states)


def _unless_without(step: Step) -> Step:
    """Make a test hold for every packet that connection tracking has no entry for."""
    match step:
        case Test((part,), ((tuple() as spans,),), negated):
            wanted = _complement(spans) if negated else spans
            return Test((_WITHOUT, part), ((SOME, ANY), (ANY, wanted)))
    return step


def _complement(spans: tuple[Range, ...]) -> tuple[Range, ...]:
    left, at = [], 0
    for first, last in spans:
        if at < first:
            left.append((at, first - 1))
        at = last + 1
    return (*left, (at, ANY[0][1])) if at <= ANY[0][1] else tuple(left)
