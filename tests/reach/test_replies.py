"""Answers that the rules of a machine may keep from leaving."""

import pytest
from msgspec import structs

import build
from portward.model.host import Snapshot
from portward.model.net import MAX_PORT, Protocol
from portward.model.reaching import Answer
from portward.model.status import Scope
from portward.reach import xtables
from portward.reach.answer import Machine
from portward.reach.areas import areas
from portward.reach.exposure import Exposer
from portward.reach.host import LOCAL, Host, Way, number
from portward.reach.ruleset import Ruleset

OWN = number("192.0.2.7")
HOST = Host(
    bits=32,
    devices=("eth0",),
    own={OWN: "eth0"},
    ways=(Way(OWN, OWN, "eth0", LOCAL), Way(0, (1 << 32) - 1, "eth0")),
    forwards=False,
)


def saved(*output: str) -> str:
    return "\n".join(
        (
            "*filter",
            ":INPUT ACCEPT [0:0]",
            ":OUTPUT DROP [0:0]",
            *(f"-A OUTPUT {one}" for one in output),
            "COMMIT\n",
        )
    )


SSH = build.listener()


def snapshot(*output: str) -> Snapshot:
    return build.snapshot(
        SSH,
        firewall=build.firewall(nft=None, iptables_legacy=saved(*output)),
        interfaces=(build.LOOPBACK, build.interface()),
    )


@pytest.mark.parametrize(
    ("output", "scope"),
    [
        (["-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"], Scope.EVERYONE),
        (["-p tcp -m tcp --sport 22 -j ACCEPT"], Scope.EVERYONE),
        (["-o eth0 -p tcp -m tcp --sport 22 ! --syn -j ACCEPT"], Scope.EVERYONE),
        (["-p tcp -m tcp --sport 1:1023 --dport 1024:65535 -j ACCEPT"], Scope.EVERYONE),
        (["-p tcp -m tcp --sport 80 -j ACCEPT"], Scope.UNKNOWN),
        (["-p tcp -m tcp --dport 22 -j ACCEPT"], Scope.EVERYONE),  # from source port 22
        (["-d 10.0.0.0/8 -j ACCEPT"], Scope.UNKNOWN),
        (["-m owner --uid-owner 0 -j ACCEPT"], Scope.UNKNOWN),
        ([], Scope.UNKNOWN),
    ],
)
def test_who_reaches_a_port_that_may_not_answer(output: list[str], scope: Scope) -> None:
    found = Exposer(snapshot(*output)).reach(SSH)

    assert found.scope == scope
    if scope == Scope.UNKNOWN:
        assert found.reason.endswith("whether answers leave (policy drop of ip filter OUTPUT)")


def test_answers_tell_sources_and_ports_apart() -> None:
    text = saved("-d 10.0.0.0/8 -p tcp -m tcp --sport 22 -j ACCEPT")
    machine = Machine(Ruleset(tables=xtables.read(text, "ip")), HOST)

    door = machine.door("eth0", Protocol.TCP, 22, "")

    assert door.yes == ((number("10.0.0.0"), number("10.255.255.255")),)
    assert door.perhaps
    assert not machine.door("eth0", Protocol.TCP, 23, "").yes
    ports = {
        span
        for area in areas(machine).areas
        if any(fate.answer == Answer.YES for fate in area.fates)
        for span in area.ports
    }
    assert ports == {(22, 22)}
    assert machine.unnamed not in {0, 22, MAX_PORT + 1}


def test_answers_do_not_change_what_is_known_of_the_chains_that_they_share() -> None:
    """Of the answer of a container nobody knows to whom it goes; of a first packet, from whom."""
    lines = (
        "*nat",
        ":PREROUTING ACCEPT [0:0]",
        "-A PREROUTING -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
        "COMMIT",
        "*filter",
        ":INPUT DROP [0:0]",
        ":FORWARD DROP [0:0]",
        ":PRIVATE - [0:0]",
        "-A FORWARD -s 198.51.100.0/24 -j DROP",
        "-A FORWARD -m conntrack --ctstate NEW -d 172.17.0.2 -j ACCEPT",
        "-A FORWARD -j PRIVATE",
        "-A INPUT -j PRIVATE",
        "-A PRIVATE -s 10.0.0.0/8 -j ACCEPT",
        "COMMIT\n",
    )
    host = structs.replace(
        HOST,
        forwards=True,
        ways=(*HOST.ways[:1], Way(0xAC110000, 0xAC11FFFF, "docker0"), *HOST.ways[1:]),
        devices=("eth0", "docker0"),
    )
    rules = Ruleset(tables=xtables.read("\n".join(lines), "ip"))
    asked_first = Machine(rules, host).door("eth0", Protocol.TCP, 22, "")
    machine = Machine(rules, host)

    machine.published("eth0", Protocol.TCP, 8080)

    assert machine.door("eth0", Protocol.TCP, 22, "") == asked_first
    assert asked_first.yes == ((number("10.0.0.0"), number("10.255.255.255")),)
