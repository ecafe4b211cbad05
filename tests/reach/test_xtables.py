import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from own_network import in_own_network, run
from portward.model.errors import UsageError
from portward.reach import xtables
from portward.reach.host import Host
from portward.reach.load import unknown
from portward.reach.packets import packet
from portward.reach.ruleset import (
    Assign,
    Chance,
    Field,
    Kind,
    Opaque,
    Rule,
    Step,
    Table,
    Target,
    Translate,
    Untrack,
    Verdict,
)
from portward.reach.ruleset import (
    Test as Question,
)
from portward.reach.sources import Sources
from portward.reach.walk import Fields, Packet, Spread, Walk

MARK, CT_MARK = Field("mark"), Field("ct mark")
WORD = 0xFFFF_FFFF
CAPTURES = Path(__file__).parent.parent / "captures" / "rulesets"
LOOPBACK = {"ip": 0x7F00_0001, "ip6": 1}


def table(rules: str, *, family: str = "ip", name: str = "filter") -> Table:
    builtin = {"nat": "PREROUTING", "raw": "PREROUTING", "mangle": "PREROUTING"}.get(name, "INPUT")
    text = f"*{name}\n:{builtin} DROP [0:0]\n:user - [0:0]\n{rules}\nCOMMIT\n"
    (found,) = xtables.read(text, family)
    return found


def rule(words: str, *, family: str = "ip", name: str = "filter") -> Rule:
    found = table(f"-A user {words}", family=family, name=name).chain("user")
    assert found is not None
    return found.rules[0]


def steps(words: str, *, family: str = "ip", name: str = "filter") -> tuple[Step, ...]:
    return rule(words, family=family, name=name).steps


def holds(words: str, fields: Fields, *, family: str = "ip") -> bool | str:
    """Return whether a packet gets through by a rule, or what keeps it from being known."""
    tried = table(f"-A INPUT {words} -j ACCEPT", family=family)
    sources = Sources.of_points([LOOPBACK[family]])
    saddr = Spread(sources)
    sent = Packet({**fields, "saddr": saddr, "original saddr": saddr}, sources.all)
    walk = Walk(sources)
    outcome = walk.base(tried, tried.chains[0], [sent])
    if bool(outcome.accepted) == bool(outcome.ended):
        return ", ".join(walk.doubts)
    return bool(outcome.accepted)


def test_a_rule_keeps_its_text_and_its_comment() -> None:
    text = r'-p tcp -m tcp --dport 22 -m comment --comment "it\'s \"q\" \\ $x -j DROP" -j ACCEPT'

    found = rule(text)

    assert found.text == f"-A user {text}"
    assert found.comment == r"it" + '\'s "q" \\ $x -j DROP'
    assert found.steps[-1] == Verdict(Kind.ACCEPT)


@pytest.mark.parametrize(
    ("words", "comment"), [("-j", "-j"), ('"!"', "!"), ('""', ""), ('"a\nb"', "a\nb")]
)
def test_a_comment_is_no_option(words: str, comment: str) -> None:
    found = rule(f"-m comment --comment {words} -j DROP")

    assert (found.comment, found.steps) == (comment, (Verdict(Kind.DROP),))


def test_base_chains_have_the_hooks_and_priorities_of_the_kernel() -> None:
    text = "".join(
        f"*{name}\n:{chain} {policy} [0:0]\nCOMMIT\n"
        for name, chain, policy in (
            ("raw", "PREROUTING", "ACCEPT"),
            ("mangle", "OUTPUT", "ACCEPT"),
            ("nat", "INPUT", "ACCEPT"),
            ("filter", "FORWARD", "DROP"),
            ("security", "INPUT", "ACCEPT"),
        )
    )

    bases = [one.chains[0].base for one in xtables.read(text, "ip", legacy=True)]

    assert [(base.hook, base.type, base.priority, base.policy) for base in bases if base] == [
        ("prerouting", "filter", -300, Kind.ACCEPT),
        ("output", "route", -150, Kind.ACCEPT),
        ("input", "nat", 100, Kind.ACCEPT),
        ("forward", "filter", 0, Kind.DROP),
        ("input", "filter", 50, Kind.ACCEPT),
    ]
    assert all(one.legacy for one in xtables.read(text, "ip", legacy=True))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-j user", [Verdict(Kind.JUMP, "user")]),
        ("-g user", [Verdict(Kind.GOTO, "user")]),
        ("-j REJECT --reject-with tcp-reset", [Verdict(Kind.REJECT)]),
        ("-j NFQUEUE --queue-num 1 --queue-bypass", [Verdict(Kind.QUEUE)]),
        ('-j LOG --log-prefix "[x] -j "', []),
        ("-j MARK --set-xmark 0x4000/0x0", [Assign(MARK, MARK, WORD, 0x4000)]),
        ("-j MARK --set-mark 0x1/0xff", [Assign(MARK, MARK, WORD - 0xFF, 1)]),
        ("-j MARK --or-mark 0xf", [Assign(MARK, MARK, WORD - 0xF, 0xF)]),
        ("-j CT --notrack", [Untrack()]),
        ("-j CT --zone 5", []),
        ("-j MASQUERADE --random-fully", [Translate("masquerade", None)]),
        ("-j REDIRECT --to-ports 80", [Translate("redirect", 4, (Target(None, (80, 80)),))]),
        ("-j DNAT --to-destination :90", [Translate("dnat", 4, (Target(None, (90, 90)),))]),
        (
            "-j DNAT --to-destination 10.0.0.1-10.0.0.5:80-90",
            [Translate("dnat", 4, (Target((0x0A000001, 0x0A000005), (80, 90)),))],
        ),
        ("-j TPROXY --on-port 80", [Opaque("-j TPROXY"), Verdict(Kind.QUEUE)]),
    ],
)
def test_targets(words: str, expected: list[Step]) -> None:
    assert list(steps(words)) == expected


def test_a_connection_s_mark_is_saved_and_restored_bit_by_bit() -> None:
    saved = steps("-j CONNMARK --save-mark --nfmask 0xf --ctmask 0xff", name="mangle")
    restored = steps("-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff", name="mangle")

    assert saved[-1] == Assign(CT_MARK, MARK, 0xF, 0, WORD - 0xFF)
    assert restored[-1] == Assign(MARK, CT_MARK, 0xFF, 0, WORD - 0xFF)


def test_an_ipv6_destination_stands_in_brackets() -> None:
    first, last = 0xFD << 120 | 1, 0xFD << 120 | 9

    (found,) = steps("-j DNAT --to-destination [fd00::1-fd00::9]:80", family="ip6", name="nat")

    assert found == Translate("dnat", 6, (Target((first, last), (80, 80)),))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("-m limit --limit 3/min --limit-burst 5", "a limit of 3/minute"),
        ("-m hashlimit --hashlimit-above 5/sec --hashlimit-name x", "a limit of over 5/second"),
        ("-m connlimit --connlimit-above 10", "a limit of over 10 connections"),
        ("-m recent --update --seconds 30 --name x --rsource", "the list x of recent addresses"),
        ("-m statistic --mode nth --every 3 --packet 0", "a share of the packets"),
        ("-m quota --quota 100", "a quota of bytes"),
        ("-m time --timestart 10:00:00", "the time of day"),
    ],
)
def test_what_no_single_packet_decides_is_a_chance(words: str, name: str) -> None:
    assert steps(words) == (Chance(name),)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ('-m string --string "--dport 5" --algo bm', "-m string"),
        ("-m set --match-set allowed src,dst", "the ipset allowed"),
        ("-p tcp -m tcp --tcp-option 5", "-m tcp --tcp-option"),
        ("-m policy --dir in --pol ipsec", "-m policy"),
        ("-m unheard-of --of 1", "-m unheard-of"),
        ("-j UNHEARD", "-j UNHEARD"),
    ],
)
def test_what_is_not_understood_stays_under_its_name(words: str, name: str) -> None:
    assert Opaque(name) in steps(words)


def test_what_cannot_be_decided_is_asked_last() -> None:
    found = steps("-m limit --limit 3/min -p tcp -m tcp --dport 22 -j ACCEPT")

    assert [type(step) for step in found] == [Question, Question, Chance, Verdict]


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*tables*")), ids=lambda path: path.name)
def test_everything_that_real_tools_wrote_is_understood(path: Path) -> None:
    family = "ip6" if path.suffix == ".ip6tables" else "ip"

    tables = xtables.read(path.read_text(), family, path.name)

    rules = [one for table in tables for chain in table.chains for one in chain.rules]
    assert len(rules) == path.read_text().count("\n-A ")
    assert not [one.text for one in rules for step in one.steps if unknown(step)]


# --- states of a connection ------------------------------------------------------------------

NEW: Fields = {"ct state": 8, "ct status": 0, "l4proto": 6}


@pytest.mark.parametrize(
    ("words", "changes", "expected"),
    [
        ("--ctstate NEW,RELATED", {}, True),
        ("! --ctstate NEW", {}, False),
        ("--ctstate ESTABLISHED,DNAT", {}, False),
        ("--ctstate ESTABLISHED,DNAT", {"ct status": 32}, True),
        ("! --ctstate RELATED,ESTABLISHED,DNAT", {"ct status": 32}, False),
        ("! --ctstate RELATED,ESTABLISHED,DNAT", {}, True),
        ("--ctstate NEW --ctproto 17", {}, False),
        ("--ctproto 6", {"ct state": 64}, False),
        ("! --ctproto 17", {"ct state": 64}, False),
        # Without an entry the state alone is asked (conntrack_mt() of xt_conntrack.c).
        ("--ctstate UNTRACKED --ctproto 17", {"ct state": 64}, True),
        ("--ctstate UNTRACKED,NEW ! --ctproto 6", {"ct state": 64}, True),
        ("--ctstate UNTRACKED,NEW ! --ctproto 6", {}, False),
        ("--ctstatus NONE", {}, False),
        ("! --ctstatus EXPECTED", {}, True),
    ],
)
def test_conntrack(words: str, changes: Fields, expected: object) -> None:
    assert holds(f"-m conntrack {words}", NEW | changes) is expected


@pytest.mark.parametrize(
    ("words", "fields", "expected"),
    [
        ("-m tcp --syn", {"tcp flags": 2}, True),
        ("-m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN", {"tcp flags": 2}, False),
        ("-m tcp --tcp-flags ALL NONE", {"tcp flags": 2}, False),
        ("-m tcp ! --tcp-flags ALL FIN,PSH,URG", {"tcp flags": 2}, True),
        ("-m icmp --icmp-type any", {}, True),
        ("-m icmp --icmp-type 3/4", {"icmp type": 3, "icmp code": 4}, True),
        ("-m icmp --icmp-type 3/4", {"icmp type": 3, "icmp code": 1}, False),
        ("-m icmp --icmp-type 8", {"icmp type": 8, "icmp code": 0}, True),
        ("-m icmp ! --icmp-type echo-request", {"icmp type": 8, "icmp code": 0}, False),
        # A packet without entry has no connection mark to compare, "!" or not.
        ("-m connmark ! --mark 0x1", {"ct state": 64, "ct mark": 0}, False),
        ("-m rpfilter", {"fib saddr . iif oif": "eth0"}, True),
        ("-m rpfilter", {"fib saddr . iif oif": ""}, False),
        ("-m rpfilter --validmark --invert", {"fib saddr . iif oif": ""}, True),
        ("-m rpfilter --loose", {"fib saddr oif": "eth1"}, True),
        ("-m owner --uid-owner 0", {}, False),
        ("-m owner ! --uid-owner 0", {}, True),
        ("-m owner ! --uid-owner 0 --gid-owner 0", {}, False),
        ("-m mac --mac-source 00:11:22:33:44:55", {}, "ether saddr"),
    ],
)
def test_matches(words: str, fields: Fields, expected: object) -> None:
    assert holds(words, fields) == expected


def test_a_packet_for_this_machine_has_no_output_device() -> None:
    sources = Sources.of_points([LOOPBACK["ip"]])
    host = Host(bits=32, devices=("eth0",), own={}, ways=(), forwards=False)

    first = packet(host, sources, device="eth0", protocol=6, daddr=1, dport=22)

    assert holds("! -o docker0", first.fields) is True
    assert holds("-o docker0", first.fields) is False


# --- against the kernel ----------------------------------------------------------------------

BOTH = """
-p udp -m udp --dport 4000
-p udp -m udp ! --dport 4000
-p udp -m udp --sport 4001 --dport 3999:4001
-p udp -m multiport --dports 1:5,4000
-p udp -m multiport ! --dports 1:5,4000
-p udp -m multiport --ports 4001,5000:6000
-p udp -m multiport --ports 5000
! -p tcp
-p udplite
-i lo
-i l+
-i eth+
! -i eth0
! -o eth9
-m conntrack --ctstate NEW
-m conntrack ! --ctstate NEW
-m conntrack --ctstate INVALID,ESTABLISHED,DNAT
-m conntrack ! --ctstate ESTABLISHED,DNAT
-m conntrack --ctproto 17
-m conntrack ! --ctproto 17
-m conntrack --ctdir ORIGINAL
-m conntrack --ctdir REPLY
-m conntrack --ctorigsrcport 4001 --ctorigdstport 4000
-m conntrack --ctreplsrcport 4000 --ctrepldstport 4001
-m conntrack --ctstatus NONE
-m conntrack ! --ctstatus EXPECTED,ASSURED
-m state --state NEW
-m addrtype --dst-type LOCAL
-m addrtype ! --dst-type LOCAL
-m addrtype --dst-type UNICAST
-m addrtype --src-type UNICAST
-m addrtype --dst-type MULTICAST
-m mark --mark 0x0
-m mark ! --mark 0x1/0x1
-m connmark --mark 0x0/0xff
-m connmark ! --mark 0x0
-m recent --set --name fresh --rsource
-m recent ! --set --name stale --rsource
-m length --length 0:27
-m length ! --length 0:27
-m helper --helper ftp
-m helper ! --helper ftp
-m physdev --physdev-is-bridged
-m physdev ! --physdev-is-bridged
""".strip().splitlines()
ONE_FAMILY = {
    "ip": """
-s 127.0.0.0/8 -d 127.0.0.1
! -s 127.0.0.0/8
-s 127.0.0.1/255.0.0.255
-s 127.0.0.2/255.0.0.255
-f
! -f
-m iprange --src-range 127.0.0.1-127.0.0.9
-m iprange ! --dst-range 127.0.0.1-127.0.0.9
-m conntrack --ctorigsrc 127.0.0.1 --ctorigdst 127.0.0.0/8
-m conntrack ! --ctrepldst 127.0.0.1
-m conntrack --ctreplsrc 10.0.0.0/8
-m ttl --ttl-eq 64
-m ttl --ttl-lt 64
-m ttl --ttl-gt 63
-m ttl ! --ttl-eq 64
-m dscp --dscp 0x00
-m pkttype --pkt-type unicast
-m pkttype ! --pkt-type unicast
""",
    "ip6": """
-s ::1 -d ::1/128
! -s ::/64
-s ::1/ffff::ff
-m iprange --src-range ::1-::9
-m conntrack --ctorigsrc ::1 --ctorigdst ::/8
-m hl --hl-eq 64
-m hl --hl-gt 64
-m hl ! --hl-eq 64
-m rt --rt-type 0
-m rt ! --rt-type 0
-m frag --fragfirst
-m hbh --hbh-len 5
-m dst --dst-len 5
-m ipv6header --header prot
-m ipv6header ! --header prot
-m ipv6header --header prot --soft
-m ipv6header --header dst,prot --soft
-m ipv6header ! --header prot --soft
-m ipv6header ! --header dst --soft
-m ipv6header --header dst --soft
""",
}
TOOLS = {"ip": "iptables", "ip6": "ip6tables"}
DATAGRAM: Fields = {
    "iifname": "lo",
    "oifname": "",
    "l4proto": 17,
    "sport": 4001,
    "dport": 4000,
    "original sport": 4001,
    "original dport": 4000,
    "mark": 0,
    "ct mark": 0,
    "ct state": 8,
    "ct status": 0,
    "ct direction": 0,
    "fib daddr type": 2,
    "fib saddr type": 2,
    "pkttype": 0,
    "length": 0,
    "ip ttl": 64,
    "ip6 hoplimit": 64,
    "ip dscp": 0,
}
"""One empty datagram from port 4001 of the loopback address to its port 4000."""


def kernel_s(family: str, variant: str, rules: list[str]) -> dict[str, bool]:
    """Return which rules a datagram passes, by the counters of the kernel."""
    tool = f"{TOOLS[family]}-{variant}"
    to_user = "-A INPUT -p udp --dport 4000 -j user"

    def work() -> dict[str, bool]:
        run("ip link set lo up")
        known: dict[str, str] = {}
        for one in rules:
            text = f"*filter\n:INPUT ACCEPT\n:user -\n{to_user}\n-A user {one}\nCOMMIT\n"
            tried = subprocess.run(
                [f"{tool}-restore"], input=text, capture_output=True, text=True, check=False
            )
            if tried.returncode == 0:
                saved = run(f"{tool}-save -t filter").splitlines()
                known[one] = next(
                    line.removeprefix("-A user").strip() for line in saved if "-A user" in line
                )
        lines = "\n".join(f"-A user {one}" for one in known)
        run(
            f"{tool}-restore", text=f"*filter\n:INPUT ACCEPT\n:user -\n{to_user}\n{lines}\nCOMMIT\n"
        )
        address = "127.0.0.1" if family == "ip" else "::1"
        kind = socket.AF_INET if family == "ip" else socket.AF_INET6
        with socket.socket(kind, socket.SOCK_DGRAM) as sender:
            sender.bind((address, 4001))
            sender.sendto(b"", (address, 4000))
        counted = [
            line.startswith("[1:")
            for line in run(f"{tool}-save -c -t filter").splitlines()
            if "-A user" in line
        ]
        return dict(zip(known.values(), counted, strict=True))

    return in_own_network(work)


@pytest.mark.root
@pytest.mark.parametrize("variant", ["nft", "legacy"])
@pytest.mark.parametrize("family", ["ip", "ip6"])
def test_matches_hold_where_the_kernel_says_so(family: str, variant: str) -> None:
    rules = [*BOTH, *ONE_FAMILY[family].strip().splitlines()]
    size = 28 if family == "ip" else 48
    address = LOOPBACK[family]
    fields = DATAGRAM | {"daddr": address, "original daddr": address, "length": size}

    measured = kernel_s(family, variant, rules)

    assert len(measured) > 50
    assert {True, False} == set(measured.values())
    wrong = {
        words: (expected, found)
        for words, expected in measured.items()
        if (found := holds(words, fields, family=family)) is not expected
    }
    assert wrong == {}


MARKING = """
-A user -j MARK --set-mark 0x1234ff
-A user -j MARK --set-xmark 0xf0/0x3c
-A user -j MARK --or-mark 0x100
-A user -j MARK --xor-mark 0x5
-A user -j MARK --and-mark 0xfffff7
-A user -j CONNMARK --save-mark --nfmask 0xff00 --ctmask 0xffff
-A user -j MARK --set-mark 0xabcdef/0xffff0f
-A user -j CONNMARK --set-xmark 0x77000001/0xff0000ff
-A user -j CONNMARK --restore-mark --nfmask 0xf0f0 --ctmask 0xffffff
"""


@pytest.mark.root
@pytest.mark.parametrize("variant", ["nft", "legacy"])
def test_marks_are_computed_as_the_kernel_does(variant: str) -> None:
    tool = f"iptables-{variant}"
    begin = f"*mangle\n:INPUT ACCEPT\n:user -\n-A INPUT -p udp --dport 4000 -j user{MARKING}"
    bits = [
        f"-A user -m {kind} --mark {1 << bit:#x}/{1 << bit:#x}"
        for kind in ("mark", "connmark")
        for bit in range(32)
    ]

    def work() -> str:
        run("ip link set lo up")
        run(f"{tool}-restore", text="\n".join([begin.rstrip(), *bits, "COMMIT\n"]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", ("127.0.0.1", 4000))
        return run(f"{tool}-save -c -t mangle")

    saved = in_own_network(work)
    counted = [line for line in saved.splitlines() if "connmark --mark" in line]
    plain = [line for line in saved.splitlines() if "-m mark --mark" in line]
    measured = [
        sum(1 << bit for bit, line in enumerate(lines) if line.startswith("[1:"))
        for lines in (plain, counted)
    ]

    (mangle,) = xtables.read(saved, "ip")
    sources = Sources.of_points([LOOPBACK["ip"]])
    chain = next(one for one in mangle.chains if one.name == "INPUT")
    outcome = Walk(sources).base(mangle, chain, [Packet(DATAGRAM, sources.all)])

    (marked,) = outcome.accepted
    assert measured == [marked.fields["mark"], marked.fields["ct mark"]]
    assert all(measured)


# --- what is malformed -----------------------------------------------------------------------

GOOD = """# Generated by iptables-save v1.8.9 on Sat Nov 21 01:16:04 2026
*filter
:INPUT ACCEPT [0:0]
:user - [0:0]
[4:240] -A INPUT -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j user
-A user ! -s 10.0.0.0/8 -m mark --mark 0x1/0xff -m comment --comment "a \\"b\\"" -j DROP
COMMIT
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("--dport 22", "--dport 65536", "saved:5: '65536' is no number from 0 to 0xffff"),
        ("--dport 22", "--dport", "saved:5: --dport needs a value"),
        ("--dport 22", "--dport 9:8", "saved:5: '9:8' runs backwards"),
        ("10.0.0.0/8", "10.0.0/8", "saved:6: '10.0.0' is no address"),
        ("10.0.0.0/8", "fd00::/8", "saved:6: 'fd00::' is of the other address family"),
        ("-j user", "-j user -j DROP", "saved:5: has two targets"),
        ('b\\""', 'b\\"', "saved:6: a quote is not closed"),
        ("--ctstate NEW", "--ctstate OLD", "saved:5: 'OLD' is not known here"),
        (":user - [0:0]\n", "", "saved:5: table filter has no chain user"),
        (":user -", ":user DROP", "saved:4: chain user of table filter cannot have the policy"),
        ("*filter", "*fitler", "saved:2: 'fitler' is no table of iptables"),
        ("*filter\n", "", "saved:2: stands outside of any table"),
        ("COMMIT\n", "", "saved: table filter does not end with COMMIT"),
        ("-A user", "-X user", "saved:6: is no line of iptables-save"),
    ],
)
def test_malformed_text_says_where_and_what(old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        xtables.read(GOOD.replace(old, new, 1), "ip", "saved")

    assert str(caught.value).startswith(message)


WORDS = sorted({*" ".join([*BOTH, *ONE_FAMILY["ip"].split(), *GOOD.split()]).split(" "), '"', "\\"})


@settings(max_examples=500)
@given(st.lists(st.sampled_from([*WORDS, "\n", "\n-A user", "-j MARK", "--set-xmark", "-j DNAT"])))
def test_shuffled_words_are_read_or_refused(words: list[str]) -> None:
    text = f"*filter\n:INPUT ACCEPT [0:0]\n:user - [0:0]\n-A INPUT {' '.join(words)}\nCOMMIT\n"
    try:
        (found,) = xtables.read(text, "ip")
    except UsageError:
        return
    assert len(found.chains) == 2


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = xtables.read(text, "ip6")
    except UsageError:
        return
    assert all(one.family == "ip6" for one in found)


@given(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)))
def test_damaged_text_is_read_or_refused(first: int, last: int) -> None:
    try:
        found = xtables.read(GOOD[:first] + GOOD[last:], "ip")
    except UsageError:
        return
    assert all(one.name == "filter" for one in found)


def test_text_that_breaks_off_is_refused() -> None:
    lines = GOOD.splitlines(keepends=True)

    (found,) = xtables.read(GOOD, "ip")
    assert [len(chain.rules) for chain in found.chains] == [1, 1]
    for count in range(2, len(lines)):
        with pytest.raises(UsageError, match="COMMIT"):
            xtables.read("".join(lines[:count]), "ip")
