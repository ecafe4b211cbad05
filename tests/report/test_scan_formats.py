"""A scan in the formats of others, read back by their readers."""

import json
from collections.abc import Callable

import pytest
from libnmap.parser import NmapParser  # type: ignore[import-untyped]  # it has none
from msgspec.structs import replace

from portward.model.scan import PortState
from portward.report import Look, grepable, html, nmap
from portward.report import json as format_json
from portward.report.screen import scan as screen
from portward.scan.imports import read
from report import sample_scan


def test_nmap(golden: Callable[[str, str], None]) -> None:
    golden("scan.nmap.xml", nmap.scan(sample_scan.scan(), Look()))


def test_grepable(golden: Callable[[str, str], None]) -> None:
    golden("scan.grepable", grepable.scan(sample_scan.scan(), Look()))


def test_html(golden: Callable[[str, str], None]) -> None:
    golden("scan.html", html.scan(sample_scan.scan(), Look()))


def test_another_reader_of_nmap_reads_the_same() -> None:
    report = NmapParser.parse_fromstring(nmap.scan(sample_scan.scan(), Look()))
    first, second = report.hosts
    assert (report.hosts_total, report.hosts_up, report.elapsed) == (2, 1, 1.5)
    assert (first.address, first.hostnames, first.is_up()) == (
        "192.0.2.80",
        ["web.example"],
        True,
    )
    found = {(one.port, one.protocol): one for one in first.services}
    assert found[22, "tcp"].state == "open"
    assert found[22, "tcp"].service == "ssh"
    assert "OpenSSH 9.2p1" in found[22, "tcp"].banner
    assert found[443, "tcp"].tunnel == "ssl"
    assert found[3306, "tcp"].state == "filtered"
    assert found[161, "udp"].state == "open|filtered"
    assert second.services[0].state == "unknown"


def test_we_read_what_we_write_for_others() -> None:
    ours = sample_scan.scan()
    back = read(nmap.scan(ours, Look()).encode(), "scan.xml")
    assert (back.started, back.duration, back.complete) == (ours.started, 1.5, True)
    for mine, theirs in zip(ours.hosts, back.hosts, strict=True):
        assert (theirs.address, theirs.name) == (mine.address, mine.name)
        assert [(one.port, one.protocol) for one in theirs.ports] == [
            (one.port, one.protocol) for one in mine.ports
        ]
    assert back.hosts[0].others == ours.hosts[0].others
    assert back.hosts[0].asked == ours.hosts[0].asked
    assert [one.state for one in back.hosts[0].ports] == [
        PortState.FILTERED if one.state == PortState.REFUSED else one.state
        for one in ours.hosts[0].ports
    ]


def test_a_scan_that_was_stopped_is_not_a_success() -> None:
    stopped = replace(sample_scan.scan(), complete=False)
    assert not read(nmap.scan(stopped, Look()).encode(), "x").complete
    assert "stopped early" in grepable.scan(stopped, Look())
    assert "stopped early" in html.scan(stopped, Look())


def test_our_own_json_is_read_back_whole() -> None:
    ours = sample_scan.scan()
    assert read(format_json.scan(ours, Look()).encode(), "x") == ours
    assert json.loads(format_json.scan(ours, Look()))["schema"] == "portward-scan/1"


@pytest.mark.parametrize("writer", [nmap.scan, grepable.scan, html.scan, format_json.scan])
def test_nothing_from_outside_reaches_a_terminal_raw(writer: Callable[..., str]) -> None:
    text = writer(sample_scan.scan(), Look())
    assert not {char for char in text if not char.isprintable()} - {"\n", "\t"}


def test_a_field_of_a_grepable_line_cannot_end_it() -> None:
    line = grepable.scan(sample_scan.scan(), Look()).splitlines()[1]
    ports = line.partition("Ports: ")[2].partition("\t")[0].split(", ")
    assert [one.count("/") for one in ports] == [7] * 8
    assert ports[1] == "25/open/tcp//smtp//a|b; c/"


def test_clear_text_and_tls_are_named_on_the_screen() -> None:
    by_port = {one.port: one for one in sample_scan.web().ports}
    assert screen.spoken(by_port[25]) == "smtp: a/b, c (clear text)"
    assert screen.tls(by_port[25]) == "TLS 1.3 after STARTTLS"
    assert screen.tls(by_port[443]) == "TLS 1.0, TLS 1.2"
    assert screen.certificate(by_port[443]).endswith("EC secp256r1, until 2026-04-05")
    assert screen.certificate(by_port[25]) == "unknown (it is damaged)"
