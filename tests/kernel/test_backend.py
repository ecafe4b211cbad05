"""Random policies as rules in the kernel: what they let in is just what the policy means."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from build import DAY, LOOPBACK, firewall, interface, listener, snapshot
from kernel.libnftables import Nft
from own_network import in_own_network
from portward.backends import nftables
from portward.knowledge import catalogue
from portward.model.host import Facing, Route, Snapshot
from portward.model.net import Family, Ports, Protocol
from portward.model.policy import Allowance, Policy, Profile, Sources
from portward.model.reaching import Answer
from portward.model.service import Audience
from portward.model.unknown import Unknown
from portward.plan.firewall import is_loaded
from portward.policy.networks import PRIVATE_NETWORKS, width
from portward.policy.resolve import EVERY_ROLE, Intent, resolve
from portward.reach import load
from portward.reach.site import Site
from portward.reach.trace import Question, follow

pytestmark = pytest.mark.root

KNOWN = catalogue.load()
NETWORKS = (
    *("203.0.113.0/24", "203.0.113.64/26", "10.0.0.0/8", "10.2.0.0/16", "192.0.2.7/32"),
    *("2001:db8:2::/48", "2001:db8:2:3::/64", "fd00::/8"),
)
SOURCES = (
    *("203.0.113.1", "203.0.113.64", "203.0.113.127", "203.0.113.128", "203.0.114.0"),
    *("10.2.0.1", "10.3.0.1", "192.0.2.7", "192.0.2.8", "172.20.0.1", "8.8.8.8"),
    *("2001:db8:2:3::1", "2001:db8:2:4::1", "2001:db8:3::1", "fd00::1", "2600::1"),
)
PORTS = (22, 25, 53, 80, 137, 139, 443, 445, 3000, 3005, 3010, 5432, 9100)
SHARED = frozenset({137, 138, 139, 445})
OWN = {4: "198.51.100.7", 6: "2001:db8:1::7"}


def machine(*more: str) -> Snapshot:
    """A machine on the internet by eth0 and on a private network by eth1."""
    default = [
        Route(destination="default", family=family, gateway=gateway, device="eth0", metric=None)
        for family, gateway in ((Family.IPV4, "198.51.100.1"), (Family.IPV6, "2001:db8:1::1"))
    ]
    return snapshot(
        *(
            listener(f"{port}/{protocol}", address)
            for port in PORTS
            for protocol in ("tcp", "udp")
            for address in ("0.0.0.0", "::")
        ),
        interfaces=(
            LOOPBACK,
            interface("eth0", addresses=("198.51.100.7/24", "2001:db8:1::7/64")),
            interface(
                "eth1",
                index=3,
                addresses=("10.9.0.7/24", "fd09::7/64"),
                facing=Facing.PRIVATE,
                default_route=False,
            ),
            *(
                interface(name, index=9, facing=Facing.BRIDGE, default_route=False, addresses=())
                for name in more
            ),
        ),
        routes=tuple(default),
        firewall=firewall(nft=None),
    )


def sources() -> st.SearchStrategy[Sources]:
    chosen = st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=4, unique=True)
    return st.one_of(
        st.just(Sources(audience=Audience.ANYONE, label="any")),
        st.just(Sources(audience=Audience.PRIVATE, label="private")),
        st.just(Sources(audience=Audience.HOST, label="host")),
        st.tuples(chosen, st.sampled_from(("admin", "office", "10.0.0.0/8, x", "drop"))).map(
            lambda pair: Sources(audience=width(pair[0]), networks=tuple(pair[0]), label=pair[1])
        ),
    )


def allowances() -> st.SearchStrategy[Allowance]:
    spans = st.tuples(st.sampled_from(PORTS), st.sampled_from((0, 0, 0, 1, 7)))
    return st.builds(
        lambda span, protocol, who, until: Allowance(
            service=None,
            ports=(Ports(protocol, span[0], span[0] + span[1]),),
            sources=who,
            reason="a test",
            until=until,
            origin='policy.toml:14 "quoted"',
        ),
        spans,
        st.sampled_from((Protocol.TCP, Protocol.UDP)),
        sources(),
        st.sampled_from((None, None, DAY, DAY.replace(year=2020))),
    )


def policies() -> st.SearchStrategy[Policy]:
    return st.builds(
        lambda roles, profile, allow: resolve(
            Intent(roles=tuple(roles), profile=profile, allow=tuple(allow)), KNOWN
        ),
        st.lists(st.sampled_from(sorted(KNOWN.roles)), min_size=1, max_size=2, unique=True),
        st.sampled_from(Profile),
        st.lists(allowances(), max_size=5),
    )


def meant(policy: Policy, protocol: Protocol, port: int, source: str, device: str) -> bool:
    """Say whether the policy means somebody to reach a port: from the allowances alone."""
    if port in SHARED and device == "eth0":
        return False
    address = ip_address(source)
    for one in policy.allowances:
        if one.origin == EVERY_ROLE or not any((protocol, port) in ports for ports in one.ports):
            continue
        if one.until is not None and one.until < DAY:
            continue
        if one.sources.networks:
            networks: tuple[str, ...] = one.sources.networks
        elif one.sources.audience == Audience.ANYONE:
            return True
        elif one.sources.audience == Audience.PRIVATE:
            networks = PRIVATE_NETWORKS
        else:
            continue
        if one.sources.audience in {Audience.HOST, Audience.NOBODY}:
            continue
        if any(address in ip_network(text) for text in networks):
            return True
    return False


@contextmanager
def kernel() -> Iterator[Nft]:
    nft = Nft()
    try:
        yield nft
    finally:
        nft.close()


def loaded(text: str) -> str:
    """Load a table twice in a network of its own; return what nft lists then."""

    def work() -> str:
        with kernel() as nft:
            nft.load(text)
            nft.load(text)
            return nft.listing()

    return in_own_network(work)


@given(policies(), st.sampled_from(((), ("docker0",), ("br-3f", "virbr0"))), st.data())
def test_the_kernel_lets_in_whom_the_policy_means_and_nobody_else(
    policy: Policy, bridges: tuple[str, ...], data: st.DataObject
) -> None:
    host = machine(*bridges)
    own = nftables.table(policy, host, DAY)
    live = firewall(nft=loaded(own.text))
    assert is_loaded(live, own)
    planned = nftables.with_table(firewall(nft=None), own)
    assert is_loaded(planned, own)
    rules = load.ruleset(live)
    assert not isinstance(rules, Unknown)
    site = Site(rules, replace(host, firewall=live))
    cases = list(product(PORTS, (Protocol.TCP, Protocol.UDP), SOURCES, ("eth0", "eth1")))
    for port, protocol, source, device in data.draw(
        st.lists(st.sampled_from(cases), min_size=25, max_size=25, unique=True)
    ):
        to = OWN[ip_address(source).version]
        answer = follow(site, Question(protocol, port, source, device, to))
        assert answer.answer != Answer.PERHAPS, answer
        wanted = meant(policy, protocol, port, source, device)
        assert (answer.answer == Answer.YES) == wanted, (port, protocol, source, device)


OTHERS = """\
table ip filter {
	chain DOCKER {
	}
	chain FORWARD {
		type filter hook forward priority 0; policy drop;
		jump DOCKER
	}
}
table inet firewalld {
	chain filter_INPUT {
		type filter hook input priority 10; policy accept;
		tcp dport 22 accept
	}
}
table inet f2b-table {
	set banned {
		type ipv4_addr
		elements = { 192.0.2.1 }
	}
}
"""


def test_the_tables_of_others_are_never_touched() -> None:
    own = nftables.table(resolve(Intent(roles=("web-server",)), KNOWN), machine(), DAY)

    def work() -> tuple[str, str, str]:
        with kernel() as nft:
            nft.load(OTHERS)
            before = nft.run("list ruleset")
            nft.load(own.text)
            beside = nft.run("list ruleset")
            nft.run("delete table inet portward")
            return before, beside, nft.run("list ruleset")

    before, beside, after = in_own_network(work)
    assert after == before
    assert "table inet portward" in beside
    assert all(line in beside for line in before.splitlines())


def test_the_table_loads_and_is_read_on_a_machine_without_names_of_protocols() -> None:
    """Without netbase there is neither /etc/protocols nor /etc/services."""
    here = machine()
    policy = resolve(Intent(roles=("web-server",)), KNOWN)
    own = nftables.table(policy, here, DAY)
    hide = "mount --bind /dev/null /etc/protocols && mount --bind /dev/null /etc/services"
    listed = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", f"{hide} && nft -f - && nft -j list ruleset"],
        input=own.text,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    live = firewall(nft=listed)
    rules = load.ruleset(live)
    assert not isinstance(rules, Unknown)
    site = Site(rules, replace(here, firewall=live))
    question = Question(Protocol.TCP, 80, "203.0.113.1", "eth0", OWN[4])
    assert follow(site, question).answer == Answer.YES
    assert not site.gaps
    assert is_loaded(live, own)
