from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from build import DAY, allowance, policy
from portward.backends.allowed import Opening, joined, openings
from portward.model.net import Ports, Protocol
from portward.model.policy import Allowance, Sources
from portward.model.service import Audience
from portward.policy.networks import PRIVATE_NETWORKS
from portward.policy.resolve import EVERY_ROLE


def named(
    *ports: str, label: str = "admin", networks: tuple[str, ...] = ("192.0.2.0/24",)
) -> Allowance:
    sources = Sources(audience=Audience.PRIVATE, networks=networks, label=label)
    return allowance(*ports, sources=sources)


def test_what_is_for_anyone_is_open_to_anyone() -> None:
    (one,) = openings(policy(allowance("80/tcp")), DAY)
    assert (one.protocol, one.first, one.last) == (Protocol.TCP, 80, 80)
    assert one.sources[0].networks == ()
    assert one.origins == ("role web-server",)


def test_private_means_private_networks_where_the_policy_names_none() -> None:
    (one,) = openings(policy(allowance("80/tcp", audience=Audience.PRIVATE)), DAY)
    assert one.sources[0].networks == joined(PRIVATE_NETWORKS)


def test_what_is_for_this_host_or_over_or_housekeeping_opens_nothing() -> None:
    shut = policy(
        allowance("25/tcp", audience=Audience.HOST),
        allowance("8080/tcp", until=DAY - timedelta(days=1)),
        allowance("53/udp", origin=EVERY_ROLE),
        allowance("1-255/raw"),
    )
    assert openings(shut, DAY) == ()
    assert openings(policy(allowance("8080/tcp", until=DAY)), DAY) != ()


def test_overlapping_ranges_are_cut_where_their_sources_differ() -> None:
    found = openings(policy(named("10-30/tcp"), allowance("20/tcp")), DAY)
    assert [(one.first, one.last, bool(one.sources[0].networks)) for one in found] == [
        (10, 19, True),
        (20, 20, False),
        (21, 30, True),
    ]


def test_networks_are_kept_as_few_as_the_kernel_keeps_them() -> None:
    assert joined(("192.0.2.0/25", "192.0.2.128/25", "192.0.2.7")) == ("192.0.2.0/24",)


_RANGES = st.tuples(st.integers(1, 40), st.integers(0, 10), st.sampled_from(("tcp", "udp")))


@given(st.lists(st.tuples(_RANGES, st.sampled_from(("any", "a", "b"))), max_size=8))
def test_each_port_is_in_one_opening_with_all_who_may_reach_it(
    wanted: list[tuple[tuple[int, int, str], str]],
) -> None:
    networks = {"a": ("192.0.2.0/24",), "b": ("198.51.100.0/24",)}
    allowed = [
        (Ports.parse(f"{first}-{first + more}/{protocol}"), who)
        for (first, more, protocol), who in wanted
    ]
    made = policy(
        *(
            allowance(str(ports))
            if who == "any"
            else named(str(ports), label=who, networks=networks[who])
            for ports, who in allowed
        )
    )
    found = openings(made, DAY)
    for key in (
        (protocol, port) for protocol in (Protocol.TCP, Protocol.UDP) for port in range(60)
    ):
        who = {name for ports, name in allowed if key in ports}
        covering = [one for one in found if _covers(one, key)]
        assert len(covering) == bool(who), key
        if "any" in who:
            assert covering[0].sources[0].networks == ()
        elif who:
            assert {source.label for source in covering[0].sources} == who


def _covers(one: Opening, key: tuple[Protocol, int]) -> bool:
    return one.protocol == key[0] and one.first <= key[1] <= one.last
