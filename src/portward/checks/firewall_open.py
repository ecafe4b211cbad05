"""No firewall, or one that accepts everything.

Why it matters
    A firewall that drops what nobody allowed is the second line: it holds when a package opens a
    port during installation, or when a service is bound wider than meant.

How it is found
    Packets from outside for a port that no rule names are followed through the ruleset in the
    kernel, for TCP and UDP, by each interface with a default route. It is a finding where everyone
    gets through, or nearly everyone. Words like "policy drop" are not searched for, because a rule
    before the end may accept everything. Where a match is not understood the answer is "not
    decided", with its name.

Remedy
    Install a firewall that accepts what the policy allows and drops the rest. Allow SSH from your
    own address before the drop rule is loaded.

False positives
    A machine whose network is filtered before it (a cloud's security groups, a router) is
    protected by that; the finding then tells of the missing second line.
"""

from collections.abc import Iterator

from portward.advice.groups import deciding
from portward.advice.openness import is_open
from portward.advice.undecided import mend, unless_known
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity, Undecided
from portward.model.host import Facing, Firewall, Snapshot
from portward.model.net import Family
from portward.model.status import Default, Scope
from portward.model.unknown import Unknown

ID = "firewall-open"


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding where a packet comes through that no rule names."""
    snapshot = case.snapshot
    firewall = snapshot.firewall
    yield from unless_known(ID, "the firewall", firewall, snapshot)
    if isinstance(firewall, Unknown) or snapshot.sight.root != "/":
        return
    # Where IPv4 is in use, what IPv6 does beside it is the matter of ipv6-unfiltered.
    ours = [one for one in case.defaults if one.family == Family.IPV4] or list(case.defaults)
    let_in = [one for one in ours if is_open(one.reach)]
    if let_in and snapshot.machine.inside != "container":
        yield _finding(let_in, len(let_in) == len(ours), snapshot, firewall)
    unknown = dict.fromkeys(one.reach for one in ours if one.reach.scope == Scope.UNKNOWN)
    for reach in unknown:
        yield Undecided(
            check=ID,
            subject="packets that no rule names",
            reason=f"who gets through is not known: {reach.reason}",
            mend=mend(snapshot) or "read the input chains: the last word should be a drop",
        )


def _finding(
    let_in: list[Default],
    all_of_it: bool,  # noqa: FBT001 - how much of the traffic it is about
    snapshot: Snapshot,
    firewall: Firewall,
) -> Finding:
    absent = not any((firewall.nft, firewall.iptables_legacy, firewall.ip6tables_legacy))
    managers = () if isinstance(firewall.managers, Unknown) else firewall.managers
    what = "" if all_of_it else f"{let_in[0].protocol.upper()} "
    rules = dict.fromkeys(fact for one in let_in for fact in deciding(one.reach))
    return Finding(
        check=ID,
        subject="incoming packets",
        severity=Severity.MEDIUM if _is_outside(snapshot) else Severity.LOW,
        confidence=Confidence.CERTAIN,
        title="There is no firewall"
        if absent
        else f"The firewall lets everyone through to {what}ports that no rule names",
        why="Whatever starts to listen on this machine is reached at once by everyone who has a"
        " route to it.",
        evidence=(
            *(
                [Evidence("nf_tables and the legacy tables are empty", "nft list ruleset")]
                if absent
                else rules
            ),
            *(Evidence(f"{one.name}: {one.evidence}") for one in managers),
        ),
        remedy=Remedy(
            summary="Write an input chain that accepts loopback, established connections and what"
            " the policy allows, and drops the rest (nftables: /etc/nftables.conf).",
            caution="Allow SSH from your own address first, and load the rules with a way back,"
            " or they may lock you out.",
        ),
    )


def _is_outside(snapshot: Snapshot) -> bool:
    interfaces = snapshot.interfaces
    return isinstance(interfaces, Unknown) or any(
        one.facing == Facing.INTERNET for one in interfaces
    )
