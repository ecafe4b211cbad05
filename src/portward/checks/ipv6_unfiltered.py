"""IPv6 open where IPv4 is closed.

Why it matters
    Most services listen on IPv6 as well. Rules for IPv4 do not see those packets, so every port
    that they close stands open to whoever has an IPv6 route, which often means the internet.

How it is found
    Packets from outside for a port that no rule names are followed through the ruleset in both
    families. It is a finding where everyone gets through over IPv6 and not over IPv4, on a machine
    with an IPv6 address beyond its own links. Where both are closed by default, each service that
    everyone reaches over IPv6 alone is a finding of its own, unless the policy allows it for
    anyone.

Remedy
    Give IPv6 the same rules: a table of the family inet filters both.

False positives
    A network that never routes IPv6 to the machine; a later one may.
"""

from collections.abc import Iterable, Iterator

from portward.advice.groups import Group, deciding, grouped
from portward.advice.matters import is_housekeeping, is_port, is_published
from portward.advice.openness import is_open
from portward.model import words
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.net import Family
from portward.model.service import Audience
from portward.model.status import Default, Exposure, Scope

ID = "ipv6-unfiltered"

_CAUTION = "Let ICMPv6 (neighbour discovery, packet too big) pass, or IPv6 breaks."
_BOTH = (
    "with nftables use a table of the family inet, with ufw IPV6=yes in /etc/default/ufw, with"
    " iptables ip6tables as well."
)


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding where IPv6 is open by default, else for each service open by it alone."""
    pairs = list(_pairs(case.defaults))
    open_by_default = [pair for pair in pairs if is_open(pair[1].reach)]
    if open_by_default:
        yield _of_default(open_by_default, case)
    elif pairs:
        for group in grouped(_only_by_ipv6(case)):
            yield _of_service(group)


def _pairs(defaults: Iterable[Default]) -> Iterator[tuple[Default, Default]]:
    """Yield what IPv4 and IPv6 do with a protocol where IPv4 is closed by default."""
    known = {(one.family, one.protocol): one for one in defaults}
    for (family, protocol), four in known.items():
        six = known.get((Family.IPV6, protocol))
        closed = not is_open(four.reach) and four.reach.scope != Scope.UNKNOWN
        if family == Family.IPV4 and six and closed:
            yield four, six


def _of_default(pairs: list[tuple[Default, Default]], case: Case) -> Finding:
    facts = dict.fromkeys(
        Evidence(f"{family}: {fact.text}", fact.where)
        for four, six in pairs
        for family, default in (("IPv4", four), ("IPv6", six))
        for fact in deciding(default.reach)
    )
    reached = dict.fromkeys(words.port(one.listener) for one in _only_by_ipv6(case))
    services = [Evidence(f"by IPv6 alone everyone reaches {', '.join(reached)}")] if reached else []
    return Finding(
        check=ID,
        subject="incoming IPv6 packets",
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        title="The firewall closes IPv4, but lets all of IPv6 in",
        why="Every service that listens on [::] is reached past the firewall.",
        evidence=(*facts, *services),
        remedy=Remedy(summary=f"Filter IPv6 with the same rules: {_BOTH}", caution=_CAUTION),
    )


def _only_by_ipv6(case: Case) -> list[Exposure]:
    """Return what everyone reaches over IPv6, though it listens on IPv4 too and not all reach it.

    What the policy allows for anyone is no leak: that IPv4 is closed is the fault there.
    """
    ours = [
        one
        for one in case.exposures
        if is_port(one)
        and not is_housekeeping(one)
        and not is_published(one.listener, case.snapshot)
    ]
    by_ipv4 = {_place(one) for one in ours if _is_open_by(one, Family.IPV4)}
    unsure = {_place(one) for one in ours if one.reach.scope == Scope.UNKNOWN}
    kept_from_ipv4 = {
        _place(one)
        for one in ours
        if one.listener.family in {Family.IPV4, Family.DUAL} and one.reach.scope != Scope.HOST
    }
    return [
        one
        for one in ours
        if _is_open_by(one, Family.IPV6)
        and _place(one) in kept_from_ipv4 - by_ipv4 - unsure
        and not (one.allowance and one.allowance.sources.audience == Audience.ANYONE)
    ]


def _place(exposure: Exposure) -> tuple[object, ...]:
    return exposure.listener.protocol, exposure.listener.port


def _is_open_by(exposure: Exposure, family: Family) -> bool:
    return exposure.reach.scope == Scope.EVERYONE and any(
        one.family == family for one in exposure.reach.entrances
    )


def _of_service(group: Group) -> Finding:
    return Finding(
        check=ID,
        subject=group.subject,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        title=f"{group.name} is open to everyone over IPv6, but not over IPv4",
        why="Whoever the rules keep out over IPv4 comes in over IPv6.",
        evidence=group.evidence,
        remedy=Remedy(
            summary=f"Give {', '.join(group.ports)} the same rules for IPv6: {_BOTH}",
            caution=_CAUTION,
        ),
        listener=group.first,
    )
