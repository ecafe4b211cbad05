from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from build import DAY, allowance, policy
from portward.backends.addresses import addresses
from portward.backends.allowed import Groups, Opening, openings
from portward.model.net import Ports, Protocol
from portward.model.policy import Allowance, Policy, Sources
from portward.model.service import Audience
from portward.policy.networks import PRIVATE_NETWORKS
from portward.policy.resolve import EVERY_ROLE


def named(
    *ports: str, label: str = "admin", networks: tuple[str, ...] = ("192.0.2.0/24",)
) -> Allowance:
    sources = Sources(audience=Audience.PRIVATE, networks=networks, label=label)
    return allowance(*ports, sources=sources)


def opened(made: Policy) -> tuple[Opening, ...]:
    return openings(made.allowances, DAY, Groups())


def test_what_is_for_anyone_is_open_to_anyone() -> None:
    (one,) = opened(policy(allowance("80/tcp")))
    assert (one.protocol, one.first, one.last) == (Protocol.TCP, 80, 80)
    assert one.anyone
    assert one.origins == ("role web-server",)


def test_private_means_private_networks_where_the_policy_names_none() -> None:
    (one,) = opened(policy(allowance("80/tcp", audience=Audience.PRIVATE)))
    assert not one.anyone
    assert one.groups[0].addresses == addresses(PRIVATE_NETWORKS)


def test_what_is_for_this_host_or_over_or_housekeeping_opens_nothing() -> None:
    shut = policy(
        allowance("25/tcp", audience=Audience.HOST),
        allowance("8080/tcp", until=DAY - timedelta(days=1)),
        allowance("68/udp", service="dhcp-client", origin=EVERY_ROLE),
        allowance("1-255/raw"),
    )
    assert opened(shut) == ()
    assert opened(policy(allowance("8080/tcp", until=DAY))) != ()


def test_overlapping_ranges_are_cut_where_their_sources_differ() -> None:
    found = opened(policy(named("10-30/tcp"), allowance("20/tcp")))
    assert [(one.first, one.last, not one.anyone) for one in found] == [
        (10, 19, True),
        (20, 20, False),
        (21, 30, True),
    ]


def test_networks_that_are_the_same_are_one_group_whatever_they_are_called() -> None:
    first, second = opened(policy(named("1/tcp"), named("3/tcp", label="office")))
    assert first.groups == second.groups


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
    found = opened(made)
    for key in (
        (protocol, port) for protocol in (Protocol.TCP, Protocol.UDP) for port in range(60)
    ):
        who = {name for ports, name in allowed if key in ports}
        covering = [one for one in found if _covers(one, key)]
        assert len(covering) == bool(who), key
        if "any" in who:
            assert covering[0].anyone
        elif who:
            assert {group.label for group in covering[0].groups} == who


def _covers(one: Opening, key: tuple[Protocol, int]) -> bool:
    return one.protocol == key[0] and one.first <= key[1] <= one.last
