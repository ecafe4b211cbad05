"""What rules of iptables that ask a set of ipset match, held against the kernel."""

import re
import socket

import pytest

import build
from own_network import in_own_network, run
from portward.model.status import Scope
from portward.model.unknown import Unknown
from portward.reach import ipsets, xtables
from portward.reach.exposure import Exposer
from portward.reach.ipsets import IpSets
from portward.reach.sources import Sources
from portward.reach.walk import Fields, Packet, Spread, Walk

SETS = """\
create own hash:ip family inet
add own 127.0.0.1
create nets hash:net family inet
add nets 127.0.0.0/8
add nets 10.0.0.0/8
create other hash:net family inet
add other 10.0.0.0/8
create except hash:net family inet
add except 127.0.0.0/8
add except 127.0.0.1 nomatch
create masked hash:ip family inet netmask 8
add masked 127.9.9.9
create pairs hash:ip,port family inet
add pairs 127.0.0.1,udp:4000
create tcp hash:ip,port family inet
add tcp 127.0.0.1,tcp:4000
create three hash:ip,port,net family inet
add three 127.0.0.1,udp:4000,127.0.0.0/8
create netport hash:net,port family inet
add netport 127.0.0.0/8,udp:4001
create faces hash:net,iface family inet
add faces 127.0.0.0/8,lo
create ports bitmap:port range 0-65535
add ports 4000
create few bitmap:ip range 127.0.0.0-127.0.0.255
add few 127.0.0.1
create empty hash:ip family inet
create both list:set
add both other
add both nets
create mixed list:set
add mixed ports
add mixed nets
"""
RULES = [
    f"-m set {negation}--match-set {name} {directions}"
    for name, found in (
        *(("own", ("src", "dst")), ("nets", ("src", "dst")), ("other", ("src", "dst"))),
        *(("except", ("src",)), ("masked", ("src",)), ("few", ("src",)), ("empty", ("src",))),
        ("pairs", ("src,dst", "src,src", "dst,dst")),
        ("tcp", ("src,dst",)),
        ("three", ("src,dst,dst", "src,src,dst")),
        ("netport", ("src,src", "src,dst")),
        ("faces", ("src,src", "src,dst")),
        ("ports", ("src", "dst")),
        ("both", ("src",)),
        ("mixed", ("src", "dst")),
    )
    for directions in found
    for negation in ("", "! ")
]
UNDECIDED = frozenset({"except", "masked", "mixed"})
"""Sets with what portward does not follow."""


def measured() -> tuple[dict[str, bool], str]:
    """Return which rules a datagram passes, and what ipset says of the sets."""

    def work() -> tuple[dict[str, bool], str]:
        run("ip link set lo up")
        run("ipset restore", text=SETS)
        lines = "\n".join(f"-A user {one}" for one in RULES)
        head = "*filter\n:INPUT ACCEPT\n:user -\n-A INPUT -p udp --dport 4000 -j user\n"
        run("iptables-nft-restore", text=f"{head}{lines}\nCOMMIT\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("127.0.0.1", 4001))
            sender.sendto(b"", ("127.0.0.1", 4000))
        saved = run("iptables-nft-save -c -t filter").splitlines()
        counts = [line.startswith("[1:") for line in saved if "-A user" in line]
        return dict(zip(RULES, counts, strict=True)), run("ipset save")

    return in_own_network(work)


def held(rule: str, sets: IpSets) -> bool | str:
    """Return whether the datagram passes by a rule, or what keeps it from being known."""
    text = f"*filter\n:INPUT DROP [0:0]\n-A INPUT {rule} -j ACCEPT\nCOMMIT\n"
    (table,) = xtables.read(text, "ip", sets=sets)
    sources = Sources.of_points([127 << 24 | 1])
    fields: Fields = {"iifname": "lo", "oifname": "", "l4proto": 17, "sport": 4001}
    fields |= {"dport": 4000, "saddr": Spread(sources), "daddr": 127 << 24 | 1, "mark": 0}
    sent = Packet(fields, sources.all)
    walk = Walk(sources)
    outcome = walk.base(table, table.chains[0], [sent])
    if outcome.accepted and outcome.ended:
        return ", ".join(walk.doubts)
    return bool(outcome.accepted)


@pytest.mark.root
def test_sets_hold_where_the_kernel_says_so() -> None:
    found, saved = measured()

    sets = IpSets(ipsets.read(saved))

    assert {True, False} == set(found.values())
    wrong = {
        rule: (expected, said)
        for rule, expected in found.items()
        if (said := held(rule, sets)) is not expected
    }
    names = {re.split(r"--match-set | ", rule)[-2] for rule in wrong}
    assert names == UNDECIDED
    assert all(isinstance(said, str) for _, said in wrong.values())


BLOCKING = """*filter
:INPUT DROP [0:0]
-A INPUT -m set --match-set allowed src -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
"""
ALLOWED = "create allowed hash:net family inet\nadd allowed 10.0.0.0/8 timeout 60\n"


@pytest.mark.parametrize(
    ("rules", "saved", "scope"),
    [
        (BLOCKING, ALLOWED, Scope.NETWORKS),
        (BLOCKING, "create allowed hash:net family inet\n", Scope.NOBODY),
        (BLOCKING, "create another hash:net family inet\n", Scope.UNKNOWN),
        (BLOCKING, "no output of ipset\n", Scope.UNKNOWN),
        (BLOCKING, Unknown("ipset is not installed"), Scope.UNKNOWN),
        (BLOCKING.replace("ACCEPT\n", "SET --add-set allowed src\n"), ALLOWED, Scope.NOBODY),
        (
            BLOCKING.replace("COMMIT", "-A INPUT -j SET --add-set allowed src\nCOMMIT"),
            ALLOWED,
            Scope.UNKNOWN,
        ),
    ],
)
def test_who_reaches_a_port_by_a_set(rules: str, saved: str | Unknown, scope: Scope) -> None:
    ssh = build.listener()
    snapshot = build.snapshot(
        ssh,
        firewall=build.firewall(nft=None, iptables_legacy=rules, ipsets=saved),
        interfaces=(build.LOOPBACK, build.interface()),
    )

    found = Exposer(snapshot).reach(ssh)

    assert found.scope == scope
    if scope == Scope.NETWORKS:
        assert found.networks == ("10.0.0.0/8",)
