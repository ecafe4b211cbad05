import socket

import pytest

from portward.model.host import Facing
from portward.survey.facing import View, facing, special
from portward.survey.rtnetlink import IFF_LOOPBACK, IFF_UP, Link


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.3.1",
        "192.167.1.1",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2a00::1",
        "2001:4860::8888",
        "2001:db9::1",
        "3ffe::1",
        "2002:808:808::1",
        "64:ff9b::808:808",
    ],
)
def test_the_internet_routes_to_it(address: str) -> None:
    assert special(packed(address)) is None


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("10.255.255.255", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.7", "private"),
        ("100.64.0.1", "carrier"),
        ("169.254.9.9", "link-local"),
        ("127.0.0.1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("203.0.113.7", "documentation"),
        ("198.19.255.255", "benchmarks"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("::1", "loopback"),
        ("::", "reserved"),
        ("fd00::1", "private"),
        ("fe80::1", "link-local"),
        ("febf::1", "link-local"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "documentation"),
        ("3fff:fff::1", "documentation"),
        ("100::1", "reserved"),
        ("4000::1", "reserved"),
        # What ipaddress.is_global takes for global.
        ("64:ff9b::a00:1", "private"),
        ("64:ff9b:1::1", "reserved"),
        ("2002:7f00:1::1", "loopback"),
        ("::ffff:192.168.0.1", "private"),
    ],
)
def test_the_internet_does_not_route_to_it(address: str, word: str) -> None:
    assert word in (special(packed(address)) or "")


def view(
    *addresses: str,
    kind: str = "physical",
    flags: int = IFF_UP,
    default: tuple[int, ...] = (),
    master: str | None = None,
    ports: tuple[str, ...] = (),
) -> View:
    def link(name: str, kind: str) -> Link:
        return Link(1, name, kind, flags, None, promiscuous=False, xdp=False)

    return View(
        link=link("eth0", kind),
        addresses=tuple((address, packed(address)) for address in addresses),
        default_families=default,
        master=master,
        ports=tuple(link(f"p{number}", port) for number, port in enumerate(ports)),
    )


@pytest.mark.parametrize(
    ("seen", "whom"),
    [
        (view("8.8.8.8", default=(4,)), Facing.INTERNET),
        (view("192.168.1.7", "2a00::1", default=(4, 16)), Facing.INTERNET),
        (view("192.168.1.7", default=(4,)), Facing.PRIVATE),
        # A global IPv6 address, but only IPv4 has a way out: a router may still bring packets in.
        (view("192.168.1.7", "2a00::1", default=(4,)), Facing.INTERNET),
        (view("10.0.0.1"), Facing.PRIVATE),
        (view("8.8.8.8"), Facing.INTERNET),
        (view("8.8.8.8", flags=0, default=(4,)), Facing.DOWN),
        (view("127.0.0.1", kind="loopback", flags=IFF_UP | IFF_LOOPBACK), Facing.HOST),
        (view("10.1.1.1", kind="dummy"), Facing.HOST),
        (view("10.8.0.1", kind="wireguard"), Facing.VPN),
        (view("10.8.0.1", kind="tun", default=(4,)), Facing.VPN),
        (view("8.8.8.8", kind="ppp", default=(4,)), Facing.INTERNET),
        (view("2a00::1", kind="sit", default=(16,)), Facing.INTERNET),
        (view(kind="tun", master="virbr0"), Facing.BRIDGE),
        (view("172.17.0.1", kind="bridge"), Facing.BRIDGE),
        (view("172.17.0.1", kind="bridge", ports=("veth", "tun")), Facing.BRIDGE),
        (view("192.168.1.1", kind="bridge", ports=("veth", "physical")), Facing.PRIVATE),
        (view("192.168.1.1", kind="bridge", ports=("vlan",)), Facing.PRIVATE),
        (view("192.168.1.7", kind="bridge", default=(4,)), Facing.PRIVATE),
        (view("8.8.8.8", kind="bridge", default=(4,), ports=("physical",)), Facing.INTERNET),
        (view("172.17.0.2", kind="veth", default=(4,)), Facing.PRIVATE),
        (view(kind="veth", master="docker0"), Facing.BRIDGE),
        (view(), Facing.PRIVATE),
    ],
)
def test_whom_it_faces(seen: View, whom: Facing) -> None:
    assert facing(seen)[0] == whom


def test_the_reason_is_a_clause() -> None:
    _, reason = facing(view("fe80::1", "192.168.1.7", default=(4,)))
    assert reason == (
        "192.168.1.7 is a private address; a router stands between, and decides who comes through"
    )
    assert facing(view("8.8.8.8", default=(4,)))[1].startswith("8.8.8.8 is a global address")
    assert facing(view())[1] == "it has no address"
