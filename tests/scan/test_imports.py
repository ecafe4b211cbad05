"""Results of other scanners: what they wrote, what is damaged, and what is hostile."""

import json
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from own_network import in_own_network, run
from portward.model.errors import ScanError
from portward.model.net import Protocol
from portward.model.scan import PortState, Scan, Spoken
from portward.model.unknown import Unknown
from portward.scan.imports import read

MASSCAN = b"""[
{   "ip": "192.0.2.1",   "timestamp": "1795603376", "ports": [ {"port": 11211, "proto": "tcp", \
"status": "open", "reason": "syn-ack", "ttl": 64} ] }
,
{   "ip": "192.0.2.1",   "timestamp": "1795603377", "ports": [ {"port": 22, "proto": "tcp", \
"status": "open", "reason": "syn-ack", "ttl": 64} ] }
]
"""
"""What masscan 1.3.2 wrote with -oJ."""

MASSCAN_LINES = (
    b'{"ip":"192.0.2.1","timestamp":"1795603381","port":22,"proto":"tcp",'
    b'"rec_type":"status","data":{"status":"open","reason":"syn-ack","ttl":64}}\n'
    b'{"ip":"192.0.2.1","timestamp":"1795603382","port":22,"proto":"tcp",'
    b'"rec_type":"banner","data":{"service_name":"ssh","banner":"SSH-2.0-OpenSSH_9.2p1"}}\n'
)
"""The first line as masscan 1.3.2 wrote it with -oD, the second as its source does."""

NAABU = (
    b'{"host":"web.example","ip":"192.0.2.80","timestamp":"2026-01-15T12:00:00.12345Z",'
    b'"port":443,"protocol":"tcp","tls":false}\n'
    b'{"ip":"192.0.2.80","timestamp":"2026-01-15T12:00:01Z","port":80,"protocol":"tcp","tls":false}\n'
)

NMAP = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE nmaprun>
<?xml-stylesheet href="file:///usr/bin/../share/nmap/nmap.xsl" type="text/xsl"?>
<!-- Nmap 7.93 scan initiated as: nmap -oX -->
<nmaprun scanner="nmap" args="nmap" start="1795603388" version="7.93" xmloutputversion="1.05">
<scaninfo type="syn" protocol="tcp" numservices="1000" services="1-1000"/>
%s
<host starttime="1795603388" endtime="1795603492"><status state="up" reason="arp-response"/>
<address addr="192.0.2.1" addrtype="ipv4"/><address addr="A6:C3:E8:39:04:35" addrtype="mac"/>
<hostnames><hostname name="web.example" type="PTR"/></hostnames>
<ports><extraports state="closed" count="996">
%s</extraports>
<port protocol="tcp" portid="22"><state state="open" reason="syn-ack" reason_ttl="64"/>
<service name="ssh" product="Server" version="9.2" method="probed" conf="10"/></port>
<port protocol="tcp" portid="25"><state state="filtered" reason="admin-prohibited"/></port>
<port protocol="tcp" portid="80"><state state="filtered" reason="no-response"/>
<service name="http" method="table" conf="3"/></port>
<port protocol="tcp" portid="993"><state state="open" reason="syn-ack"/>
<service name="imap" tunnel="ssl" method="probed" conf="10"/></port>
</ports></host>
<runstats><finished time="1795603492" elapsed="104.54" exit="success"/></runstats>
</nmaprun>
"""


def ports(scan: Scan) -> dict[tuple[str, int], PortState]:
    return {(one.protocol, one.port): one.state for host in scan.hosts for one in host.ports}


def test_masscan_lists_what_it_found_and_nothing_else() -> None:
    scan = read(MASSCAN, "scan.json")
    assert (scan.engine, scan.started.timestamp()) == ("masscan", 1_795_603_376)
    assert ports(scan) == {("tcp", 22): PortState.OPEN, ("tcp", 11211): PortState.OPEN}
    assert scan.hosts[0].asked == {}
    assert scan.hosts[0].states(Protocol.TCP, 80) == frozenset()


def test_an_array_without_its_end_is_not_all() -> None:
    assert read(MASSCAN, "scan.json").complete
    assert not read(MASSCAN.rstrip()[:-1], "scan.json").complete


def test_masscan_lines_join_a_port_with_its_banner() -> None:
    (host,) = read(MASSCAN_LINES, "scan.json").hosts
    (one,) = host.ports
    assert (one.service, one.banner) == (Spoken(protocol="ssh"), "SSH-2.0-OpenSSH_9.2p1")


def test_an_empty_result_of_masscan_is_a_result() -> None:
    assert read(b"[\n]\n", "scan.json").hosts == ()


def test_naabu() -> None:
    scan = read(NAABU, "scan.json")
    assert scan.engine == "naabu"
    assert ports(scan) == {("tcp", 80): PortState.OPEN, ("tcp", 443): PortState.OPEN}


def test_naabu_of_old() -> None:
    line = (
        b'{"host":"192.0.2.9","ip":"192.0.2.9","port":{"Port":53,"Protocol":1},"protocol":"udp"}\n'
    )
    assert ports(read(line, "x")) == {("udp", 53): PortState.OPEN}


def test_nmap() -> None:
    scan = read(NMAP % (b"", b""), "scan.xml")
    assert (scan.engine, scan.duration, scan.complete) == ("nmap", 104.54, True)
    (host,) = scan.hosts
    assert (host.address, host.name) == ("192.0.2.1", "web.example")
    assert host.asked == {"tcp": "1-1000"}
    assert host.others == {"tcp": {PortState.CLOSED: 996}}
    found = {one.port: one for one in host.ports}
    assert found[22].service == Spoken(protocol="ssh", product="Server 9.2")
    assert found[25].state == PortState.REFUSED
    assert found[80].state == PortState.FILTERED
    assert found[80].service is None  # out of a table of port numbers
    assert found[993].service == Spoken(protocol="imaps", cleartext=False)
    assert host.states(Protocol.TCP, 81) == {PortState.CLOSED}
    assert host.states(Protocol.TCP, 1001) == frozenset()


def test_nmap_says_of_which_protocol_the_others_are() -> None:
    udp = b'<scaninfo type="udp" protocol="udp" numservices="2" services="53,161"/>'
    reasons = (
        b'<extrareasons reason="reset" count="994" proto="tcp" ports="1-21"/>'
        b'<extrareasons reason="port-unreach" count="2" proto="udp" ports="53,161"/>'
    )
    (host,) = read(NMAP % (udp, reasons), "scan.xml").hosts
    assert host.others == {"tcp": {PortState.CLOSED: 994}, "udp": {PortState.CLOSED: 2}}
    (host,) = read(NMAP % (udp, b""), "scan.xml").hosts
    assert host.others == {}
    assert host.unknown == (Unknown("of which protocol 996 closed ports are"),)
    assert host.states(Protocol.UDP, 53) == frozenset()


@pytest.mark.root
def test_nmap_as_it_is_installed_here(tmp_path: Path) -> None:
    file = tmp_path / "scan.xml"

    def work() -> None:
        run("ip link set lo up")
        with socket.create_server(("127.0.0.1", 8080)), socket.create_server(("127.0.0.1", 22)):
            run(f"nmap -n -sS -sU -Pn -p T:20-30,8080,U:53 -oX {file} 127.0.0.1")

    in_own_network(work)
    (host,) = read(file.read_bytes(), "scan.xml").hosts
    assert host.asked == {"tcp": "20-30,8080", "udp": "53"}
    opened = [one.port for one in host.ports if one.state == PortState.OPEN]
    assert opened == [22, 8080]
    assert host.states(Protocol.TCP, 25) == {PortState.CLOSED}
    assert host.states(Protocol.UDP, 53) == {PortState.CLOSED}


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE nmaprun [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<nmaprun scanner="&b;"></nmaprun>"""
FILE = b"""<?xml version="1.0"?>
<!DOCTYPE nmaprun [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<nmaprun scanner="nmap"><host>&x;</host></nmaprun>"""


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (BOMB, "it declares an entity"),
        (FILE, "it declares an entity"),
        (b"<nmaprun>" + b"<a>" * 100, "elements inside of each other"),
        (NMAP[:700], "unclosed token"),
        ((NMAP % (b"", b"")).replace(b"192.0.2.1", b"nowhere"), "does not appear to be"),
        ((NMAP % (b"", b"")).replace(b'portid="22"', b'portid="x"'), "has no number"),
        (b"<html><nmaprun></nmaprun></html>", "no result of a scan"),
        (b"<!DOCTYPE x><html><nmaprun/></html>", 'its root is "html"'),
        (b"", "no result of a scan"),
        (b"PK\x03\x04", "no result of a scan"),
        (b'[{"ip": "192.0.2.1", "ports": [{"port": 99999, "proto": "tcp"}]}]', "has no port"),
        (b'[{"ip": "evil", "ports": []}]', "line 1 has no address"),
        (MASSCAN[:130], "is no JSON"),
        (b'{"host":"x","ip":"192.0.2.1","port":"80"}\n', "has no port"),
        (b'{"hosts": 1}', "no scan of portward"),
    ],
)
def test_what_is_damaged_is_refused_with_one_line(data: bytes, says: str) -> None:
    with pytest.raises(ScanError) as caught:
        read(data, "scan.file")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.data())
def test_damage_never_ends_in_a_traceback(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([NMAP % (b"", b""), MASSCAN, MASSCAN_LINES, NAABU]))
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        found = read(bytes(broken), "x")
    except ScanError:
        return
    assert isinstance(found, Scan)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda one: (
            st.lists(one)
            | st.dictionaries(
                st.sampled_from(
                    ["port", "proto", "status", "data", "ports", "ttl", "service", "banner"]
                ),
                one,
            )
        ),
        max_leaves=10,
    )
)
def test_any_json_in_a_record_is_survived(value: object) -> None:
    for record in (
        {"ip": "192.0.2.1", "ports": value},
        {"ip": "192.0.2.1", "rec_type": "x", "port": 1, "proto": "tcp", "data": value},
    ):
        try:
            read(json.dumps(record).encode(), "x")
        except ScanError:
            continue
