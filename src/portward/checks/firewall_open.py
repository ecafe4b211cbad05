"""No firewall, or one that accepts everything.

Why it matters
    A firewall that drops what nobody allowed is the second line: it holds when a package opens a
    port during installation, or when a service is bound wider than meant.

How it is found
    The ruleset in the kernel is read, not the state of a tool. It is open for certain where no
    rule and no policy on the way in can drop a packet. It denies by default where a packet that
    no rule names is dropped, jumps followed. Between the two the answer is "not decided": words
    like "policy drop" are not searched for, because a rule before the end may accept everything.

Remedy
    Install a firewall that accepts what the policy allows and drops the rest. Allow SSH from your
    own address before the drop rule is loaded.

False positives
    A machine whose network is filtered before it (a cloud's security groups, a router) is
    protected by that; the finding then tells of the missing second line.
"""

from collections.abc import Iterator

from portward.advice.input_path import Way, way_in
from portward.advice.undecided import mend, unless_known
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity, Undecided
from portward.model.host import Facing, Firewall, Snapshot
from portward.model.net import Family
from portward.model.unknown import Unknown

ID = "firewall-open"


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding where nothing on the way in can drop a packet."""
    snapshot = case.snapshot
    firewall = snapshot.firewall
    yield from unless_known(ID, "the firewall", firewall, snapshot)
    if isinstance(firewall, Unknown) or snapshot.sight.root != "/":
        return
    way = way_in(firewall, Family.IPV4)
    if isinstance(way, Unknown):
        yield Undecided(check=ID, subject="the firewall", reason=way.reason, mend=mend(snapshot))
    elif way == Way.UNSURE:
        yield Undecided(
            check=ID,
            subject="the firewall",
            reason="there are rules that drop packets, but whether the rest is dropped depends on"
            " matches that are not evaluated yet",
            mend="read the input chains: the last word should be a drop",
        )
    elif way == Way.OPEN and snapshot.machine.inside != "container":
        yield _finding(snapshot, firewall)


def _finding(snapshot: Snapshot, firewall: Firewall) -> Finding:
    absent = not any((firewall.nft, firewall.iptables_legacy, firewall.ip6tables_legacy))
    managers = () if isinstance(firewall.managers, Unknown) else firewall.managers
    return Finding(
        check=ID,
        subject="incoming packets",
        severity=Severity.MEDIUM if _is_outside(snapshot) else Severity.LOW,
        confidence=Confidence.CERTAIN,
        title="There is no firewall" if absent else "The firewall accepts everything that comes in",
        why="Whatever starts to listen on this machine is reached at once by everyone who has a"
        " route to it.",
        evidence=(
            Evidence(
                "nf_tables and the legacy tables are empty"
                if absent
                else "no rule and no policy on the way in can drop a packet",
                "nft list ruleset",
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
