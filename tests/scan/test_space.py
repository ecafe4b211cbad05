"""Every probe comes once: in any order, in any number of shards and parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.errors import UsageError
from portward.scan.space import MAX_PROBES, Block, Shard, grouped, order, shard, split

HOSTS = st.integers(0, 12).map(lambda count: [bytes([10, 0, 0, one]) for one in range(count)])
PORTS = st.integers(1, 40).map(lambda count: list(range(1000, 1000 + count)))


@given(st.integers(1, 3000), st.integers(0, 1 << 32))
def test_an_order_is_a_permutation(count: int, seed: int) -> None:
    factor, shift = order(count, seed)
    assert sorted((place * factor + shift) % count for place in range(count)) == list(range(count))


@given(st.integers(0, 1 << 32))
def test_neighbouring_probes_are_far_apart(seed: int) -> None:
    count = 65535
    factor, _ = order(count, seed)
    assert all(min(step * factor % count, -step * factor % count) > 5000 for step in (1, 2))


def test_another_seed_gives_another_order() -> None:
    assert order(65535, 1) != order(65535, 2)


@given(HOSTS, PORTS, st.integers(1, 9))
def test_shards_are_disjoint_complete_and_alike_in_size(
    hosts: list[bytes], ports: list[int], of: int
) -> None:
    whole = [(host, port) for host in hosts for port in ports]
    parts = [
        [
            (host, port)
            for block in shard(hosts, ports, Shard(number, of))
            for host in block.hosts
            for port in block.ports
        ]
        for number in range(1, of + 1)
    ]
    assert sorted(one for part in parts for one in part) == sorted(whole)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@given(HOSTS, PORTS, st.integers(1, 60))
def test_parts_of_a_block_are_the_block(hosts: list[bytes], ports: list[int], most: int) -> None:
    parts = list(split(Block(hosts, ports), most))
    assert [host for part in parts for host in part.hosts] == hosts
    assert all(part.size <= max(most, len(ports)) for part in parts)


def test_one_host_with_all_ports_fits_into_a_block() -> None:
    assert MAX_PROBES > 65535


@given(st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.sampled_from([(), (1,), (1, 2)]))))
def test_grouping_loses_nobody(hosts: list[tuple[bytes, tuple[int, ...]]]) -> None:
    found = [
        (host, port) for block in grouped(hosts) for host in block.hosts for port in block.ports
    ]
    assert sorted(found) == sorted((host, port) for host, ports in hosts for port in ports)


def test_words_for_a_shard() -> None:
    assert Shard.parse("2/4") == Shard(2, 4)
    for text in ("0/4", "5/4", "1", "1/", "a/b", "-1/2", "1/2/3"):
        with pytest.raises(UsageError):
            Shard.parse(text)
