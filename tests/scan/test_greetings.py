"""What is sent to UDP ports, held against the servers that it is meant for."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.knowledge import catalogue
from portward.model.scan import Spoken
from portward.scan.ber import elements, inside, integer, octets, write
from portward.scan.greetings import GREETINGS, recognise
from real_servers import Room

PACKAGES = (
    *("bind9", "ntpsec", "snmpd", "samba", "avahi-daemon", "miniupnpd-nftables", "memcached"),
    *("tftpd-hpa", "strongswan-charon", "freeradius", "coturn", "openvpn", "rpcbind"),
    *("libcoap3-bin", "krb5-kdc", "kamailio", "caddy"),
)
SAMBA = "".join(
    f"{option} = /tmp/smb/{place}\n"
    for option, place in {
        "private dir": "private",
        "lock directory": "lock",
        "state directory": "state",
        "cache directory": "cache",
        "pid directory": "pid",
    }.items()
)
RADIUS = """
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = /tmp/radius
logdir = /tmp
run_dir = /tmp
client localhost {
    ipaddr = 127.0.0.1
    secret = not-a-secret
    require_message_authenticator = no
}
modules {
    always reject {
        rcode = reject
    }
}
server default {
    listen {
        type = auth
        ipaddr = 127.0.0.1
        port = 1812
    }
    authorize {
        reject
    }
}
"""


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    with Room(*PACKAGES) as here:
        here.users("avahi", "_rpc")
        for line in ("link add d0 type veth peer name d1", "addr add 192.0.2.1/24 dev d0"):
            here.run(f"ip {line}")
        here.run("ip link set d0 up")
        here.run("ip link set d1 up")
        _start_naming(here)
        _start_tunnels(here)
        _start_others(here)
        yield here


def _start_naming(here: Room) -> None:
    here.file(
        "/tmp/named.conf",
        'options { directory "/tmp"; recursion no; pid-file none; session-keyfile none; };'
        "controls { };",
    )
    here.start("named -f -g -c /tmp/named.conf")
    for name in ("private", "lock", "state", "cache", "pid"):
        here.file(f"/tmp/smb/{name}/x")
    here.file("/run/samba/x")
    here.file("/tmp/smb.conf", f"[global]\nnetbios name = PORTWARD\ninterfaces = d0\n{SAMBA}")
    here.start("nmbd -F --no-process-group --debug-stdout -s /tmp/smb.conf")
    here.file("/tmp/avahi.conf", "[server]\nenable-dbus=no\n[publish]\npublish-workstation=yes\n")
    here.file("/run/avahi-daemon/x")
    here.start("avahi-daemon --no-drop-root --no-rlimits --no-chroot -f /tmp/avahi.conf")
    here.file(
        "/tmp/upnp.conf",
        "ext_ifname=d0\nlistening_ip=lo\next_ip=8.8.8.9\n"
        "uuid=00000000-0000-4000-8000-000000000000\n",
    )
    here.start("miniupnpd -d -f /tmp/upnp.conf")


def _start_tunnels(here: Room) -> None:
    here.start("/usr/lib/ipsec/charon")
    here.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key -out /tmp/certificate "
        "-subj /CN=vpn -days 2"
    )
    here.start(
        "openvpn --mode server --tls-server --dev tun --port 1194 --proto udp --dh none "
        "--ca /tmp/certificate --cert /tmp/certificate --key /tmp/key"
    )
    here.start(
        "turnserver -n --listening-port=3478 --no-tls --no-dtls --log-file=stdout "
        "--pidfile=/tmp/turn.pid --no-cli"
    )
    here.file(
        "/tmp/Caddyfile",
        "{\n admin off\n skip_install_trust\n}\n"
        "https://localhost {\n tls internal\n respond hi\n}\n",
    )
    here.start("caddy run --config /tmp/Caddyfile --adapter caddyfile")


def _start_others(here: Room) -> None:
    here.file("/tmp/ntp.conf", "restrict default\nserver 127.127.1.0\n")
    here.start("ntpd -n -c /tmp/ntp.conf")
    here.file("/tmp/snmpd.conf", "rocommunity public\nagentAddress udp:161\n")
    here.start("snmpd -f -Lo -C -c /tmp/snmpd.conf")
    here.start("memcached -u root -U 11211")
    here.file("/srv/tftp/x")
    here.start("in.tftpd -L -u root -s /srv/tftp")
    here.file("/tmp/radius/radiusd.conf", RADIUS)
    here.start("freeradius -X -d /tmp/radius")
    here.start("rpcbind -f -w")
    here.start("coap-server-notls")
    here.file("/etc/krb5.conf", "[libdefaults]\ndefault_realm = WARD.TEST\n")
    here.file(
        "/etc/krb5kdc/kdc.conf",
        "[realms]\nWARD.TEST = {\ndatabase_name = /tmp/kdc/principal\n"
        "key_stash_file = /tmp/kdc/stash\n}\n",
    )
    here.file("/tmp/kdc/x")
    here.run("kdb5_util create -s -r WARD.TEST -P not-a-secret")
    here.start("krb5kdc -n")
    here.file(
        "/tmp/kamailio.cfg",
        '#!KAMAILIO\nlisten=udp:127.0.0.1:5060\nloadmodule "sl.so"\n'
        'request_route { sl_send_reply("200", "OK"); }\n',
    )
    here.start("kamailio -DD -E -f /tmp/kamailio.cfg")


def answers(
    room: Room, port: int, address: str = "127.0.0.1", *, greetings: int = 1
) -> list[Spoken | None]:
    """What a server says to the first greetings of its port; None: nothing that was recognised."""

    def ask(greeting: bytes) -> Spoken | None:
        for _ in range(40):  # until the server has started
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
                ours.settimeout(0.5)
                ours.sendto(greeting, (address, port))
                try:
                    return recognise(ours.recv(65_535))
                except TimeoutError:
                    continue
        return None

    return room.inside(lambda: [ask(greeting) for greeting in GREETINGS[port][:greetings]])


SERVERS = {
    53: ("dns", "9.18"),
    69: ("tftp", ""),
    88: ("kerberos", ""),
    111: ("rpcbind", ""),
    123: ("ntp", ""),
    161: ("snmp", "Linux"),
    443: ("https", "QUIC"),
    500: ("ipsec", "IKEv2"),
    1194: ("openvpn", ""),
    1812: ("radius", ""),
    1900: ("ssdp", "MiniUPnPd"),
    3478: ("turn", "Coturn"),
    5060: ("sip", "kamailio"),
    5353: ("mdns", ""),
    5683: ("coap", ""),
    11211: ("memcached", "memcached 1."),
}


@pytest.mark.root
@pytest.mark.parametrize("port", SERVERS)
def test_a_real_server_answers_its_greeting(room: Room, port: int) -> None:
    protocol, product = SERVERS[port]
    found = answers(room, port)[0]
    assert found, room.logs()
    assert found.protocol == protocol
    assert product in found.product


@pytest.mark.root
def test_samba_tells_its_name(room: Room) -> None:
    found = answers(room, 137, "192.0.2.1")[0]
    assert found, room.logs()
    assert (found.protocol, found.product) == ("netbios-ns", "PORTWARD")


@pytest.mark.root
def test_every_version_of_snmp_and_ike_is_answered(room: Room) -> None:
    by_version = [found and found.product for found in answers(room, 161, greetings=3)]
    assert [bool(one and "Linux" in one) for one in by_version] == [True, True, False]
    assert by_version[2] == "SNMPv3"
    assert [found and found.product for found in answers(room, 500, greetings=2)] == [
        "IKEv2",
        "IKEv1",
    ]


def test_every_protocol_is_named_as_in_the_catalogue() -> None:
    assert {protocol for protocol, _ in SERVERS.values()} - set(catalogue.load().services) == {
        "coap"
    }


def test_an_echo_service_speaks_none_of_them() -> None:
    assert [one for some in GREETINGS.values() for one in some if recognise(one)] == []


@given(st.binary(max_size=600))
def test_noise_is_nothing(reply: bytes) -> None:
    assert recognise(reply) is None


@given(st.data())
def test_a_changed_greeting_never_raises(data: st.DataObject) -> None:
    greeting = data.draw(st.sampled_from([one for some in GREETINGS.values() for one in some]))
    at = data.draw(st.integers(0, len(greeting) - 1))
    put = data.draw(st.binary(max_size=20))
    recognise(greeting[:at] + put + greeting[at + data.draw(st.integers(0, 20)) :])


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=5))
def test_elements_read_what_write_wrote(parts: list[tuple[int, bytes]]) -> None:
    data = b"".join(write(tag, value) for tag, value in parts)
    assert list(elements(data)) == parts


def test_numbers_keep_their_sign_bit_clear() -> None:
    assert [integer(one).hex() for one in (0, 127, 128, 65_535)] == [
        "020100",
        "02017f",
        "02020080",
        "020300ffff",
    ]
    assert inside(write(0x30, integer(7), octets("x")), 0x30, 0x04) == b"x"
    assert inside(b"\x30\x84\xff\xff\xff\xff", 0x30) is None


def test_no_greeting_is_larger_than_a_frame() -> None:
    assert all(len(one) <= 1472 for some in GREETINGS.values() for one in some)
