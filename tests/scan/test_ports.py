"""Words for ports: numbers, services, roles, and what is looked at without any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.knowledge import catalogue
from portward.model.errors import UsageError
from portward.model.net import MAX_PORT, Protocol
from portward.scan import ports

KNOWN = catalogue.load()
NAMES = {"79/tcp": "finger", "7777/tcp": "cbt", "7777/udp": "cbt", "99/sctp": "only-sctp"}
TCP, UDP = Protocol.TCP, Protocol.UDP


def parse(text: str) -> ports.Numbers:
    return ports.parse(text, KNOWN, NAMES)


def test_numbers_and_ranges() -> None:
    assert parse("22,80,8000-8002,80") == {TCP: (22, 80, 8000, 8001, 8002)}
    assert parse("-") == {TCP: tuple(range(1, MAX_PORT + 1))}
    assert parse("-3") == {TCP: (1, 2, 3)}
    assert parse("65534-") == {TCP: (65534, 65535)}


def test_udp_by_letter_and_by_suffix() -> None:
    assert parse("22,U:53,123,T:80") == {TCP: (22, 80), UDP: (53, 123)}
    assert parse("53/udp,53") == {TCP: (53,), UDP: (53,)}
    assert parse("u:161") == {UDP: (161,)}


def test_names_of_services_roles_and_the_system() -> None:
    assert parse("ssh") == {TCP: (22,)}
    assert parse("SSH") == {TCP: (22,)}
    assert parse("cbt") == {TCP: (7777,), UDP: (7777,)}
    web = parse("web-server")[TCP]
    assert {80, 443} <= set(web)
    wanted = {
        port
        for need in KNOWN.roles["web-server"].needs
        for one in KNOWN.services[need.service].ports
        if one.protocol == TCP
        for port in range(one.first, one.last + 1)
    }
    assert set(web) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "0", "65536", "80-79", "1-2-3", "80/sctp", "X:80", "no-such", "22,,80", "only-sctpx"],
)
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as failure:
        parse(text)
    assert "\n" not in str(failure.value)


@given(st.text(alphabet="0123456789-,:UT/udp", max_size=16))
def test_any_text_is_ports_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except UsageError:
        return
    for numbers in found.values():
        assert list(numbers) == sorted(set(numbers))
        assert all(0 < number <= MAX_PORT for number in numbers)


@given(st.sets(st.integers(1, MAX_PORT), max_size=40))
def test_written_ports_are_read_again(numbers: set[int]) -> None:
    assert ports.read(ports.written(sorted(numbers))) == tuple(sorted(numbers))


def test_all_ports_are_written_as_one_range() -> None:
    assert ports.written(range(1, MAX_PORT + 1)) == "1-65535"


def test_without_a_choice_all_that_the_catalogue_knows_and_the_well_known() -> None:
    found = ports.default(KNOWN)
    assert set(ports.WELL_KNOWN) <= set(found[TCP])
    for service in KNOWN.services.values():
        for one in service.ports:
            if one.protocol == TCP:
                assert set(range(one.first, one.last + 1)) <= set(found[TCP])
    assert {53, 123, 161} <= set(found[UDP])


def test_top_begins_with_what_most_roles_need() -> None:
    assert 22 in ports.top(3, KNOWN)[TCP]
    assert set(ports.top(10, KNOWN)[TCP]) < set(ports.top(100, KNOWN)[TCP])
    assert len(ports.top(100, KNOWN)[TCP]) == 100
    assert ports.top(MAX_PORT, KNOWN)[TCP] == tuple(range(1, MAX_PORT + 1))
    with pytest.raises(UsageError):
        ports.top(0, KNOWN)
