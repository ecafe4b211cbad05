"""Rule of the firewall that never decides anything.

Why it matters
    Somebody wrote the rule and believes that it works. Where an earlier rule decides otherwise,
    what should be closed is open, or what should be open is closed.

How it is found
    Each rule on the way of incoming and forwarded packets is compared with the earlier rules of
    its chain. It is idle where one of them takes every packet that it could match, or where its
    own matches exclude each other. Rules with limits, with named sets, or with matches that are
    not understood shadow nothing. Chains that tools write for themselves (ufw,
    firewalld, Docker, Podman, libvirt, Kubernetes, fail2ban) are left out, their places for a
    person's own rules are not.

Remedy
    Move the rule before the one that takes its packets, or delete it.

False positives
    None known: what is not certain is not reported. A rule that only counts or logs may be meant
    to stand where it stands.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.unknown import Unknown
from portward.reach.idle import Idle, idle
from portward.reach.load import ruleset
from portward.reach.ruleset import Kind, Place, Rule, Verdict
from portward.reach.wording import text

ID = "idle-rule"

_TOOLS = (
    "DOCKER*", "docker*", "NETAVARK*", "netavark*", "CNI-*", "KUBE-*", "kube-*", "cali*", "CILIUM*",
    "LIBVIRT_*", "libvirt*", "f2b-*", "f2b*", "sshguard*", "firewalld*", "shorewall*", "sha-*",
    "foomuuri", "lxd", "incus", "lxc", "portward", "ufw-*", "ufw6-*",
)  # fmt: skip
"""Tables and chains that tools write and keep for themselves."""

_OWN = ("ufw-user-*", "ufw6-user-*", "DOCKER-USER")
"""Chains among them that hold a person's own rules."""

_SHOWN = 20
"""So many rules of a chain stand in the evidence."""


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each chain with rules of a person that decide nothing."""
    firewall = case.snapshot.firewall
    rules = firewall if isinstance(firewall, Unknown) else ruleset(firewall)
    if isinstance(rules, Unknown):
        return  # the check firewall-open says that the firewall is not known
    chains: dict[tuple[str, str, str], list[Idle]] = {}
    for one in idle(rules):
        place = one.place
        if _is_own(place):
            chains.setdefault((place.family, place.table, place.chain), []).append(one)
    for (family, table, chain), found in chains.items():
        yield _finding(f"{family} {table} {chain}", found)


def _is_own(place: Place) -> bool:
    """Say whether a person wrote the rule, or may have."""
    if place.rule is None or not (_does(place.rule)):
        return False
    target = place.rule.steps[-1]
    jumps = isinstance(target, Verdict) and target.chain
    if jumps and _is_of_tool(jumps):
        return False
    return not _is_of_tool(place.table) and not _is_of_tool(place.chain)


def _does(rule: Rule) -> bool:
    """Say whether the rule would decide anything: one that only counts or logs does not."""
    return any(isinstance(step, Verdict) for step in rule.steps)


def _is_of_tool(name: str) -> bool:
    own = any(fnmatchcase(name, pattern) for pattern in _OWN)
    return not own and any(fnmatchcase(name, pattern) for pattern in _TOOLS)


def _finding(chain: str, found: list[Idle]) -> Finding:
    against = [one for one in found if one.by is None or _kind(one.by) != _kind(one.place)]
    one_rule = len(found) == 1
    what = "1 rule" if one_rule else f"{len(found)} rules"
    return Finding(
        check=ID,
        subject=chain,
        severity=Severity.LOW if against else Severity.INFO,
        confidence=Confidence.CERTAIN,
        title=f"{what} of {chain} {'never decides' if one_rule else 'never decide'} anything",
        why="What an earlier rule takes, or what no packet can be, never comes to a verdict there."
        if against
        else "An earlier rule already says the same; only the reader is misled.",
        evidence=tuple(_evidence(one) for one in (against or found)[:_SHOWN]),
        remedy=Remedy(
            summary="Move the rule before the one that takes its packets, or delete it."
            if one_rule
            else "Move each before the one that takes its packets, or delete it.",
            caution="Once it works it may shut what is in use now, or open it.",
        ),
    )


def _evidence(one: Idle) -> Evidence:
    if one.by is None:
        return Evidence(f"its matches exclude each other: {_words(one.place)}", one.place.where)
    return Evidence(
        f"{_words(one.place)} comes after {_words(one.by)}, which takes all its packets",
        one.place.where,
    )


def _words(place: Place) -> str:
    return "" if place.rule is None else text(place.rule, place.family)


def _kind(place: Place) -> Kind | None:
    steps = place.rule.steps if place.rule else ()
    return next((step.kind for step in steps if isinstance(step, Verdict)), None)
