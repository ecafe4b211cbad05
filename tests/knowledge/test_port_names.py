import os
import socket
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from portward.knowledge import port_names


def test_first_line_of_a_port_counts_and_aliases_do_not() -> None:
    text = (
        "# comment\n"
        "ssh\t\t22/tcp\t\t\t\t# SSH Remote Login Protocol\n"
        "domain 53/tcp\ndomain 53/udp\n"
        "www 80/tcp http # WorldWideWeb\n"
        "other 80/tcp\n"
    )
    assert port_names.parse(text) == {
        "22/tcp": "ssh",
        "53/tcp": "domain",
        "53/udp": "domain",
        "80/tcp": "www",
    }


def test_lines_that_are_no_ports_are_passed_over() -> None:
    text = "\nlonely\nname tcp/22\nzero 0/tcp\nbig 70000/tcp\nhuge 999999999999/udp\nodd ²/tcp\n"
    assert port_names.parse(text + "rtmp 1/ddp\nlast 7/udp") == {"7/udp": "last"}


@given(st.text())
def test_any_text_gives_names_of_possible_ports(text: str) -> None:
    for port, name in port_names.parse(text).items():
        number, _, protocol = port.partition("/")
        assert 0 < int(number) <= 65535
        assert protocol
        assert name == name.strip() != ""


def test_the_system_agrees_with_its_own_library(tmp_path: Path) -> None:
    names = port_names.read(Path("/"))
    for port, name in names.items():
        number, _, protocol = port.partition("/")
        if protocol in {"tcp", "udp"}:
            assert socket.getservbyport(int(number), protocol) == name
    assert port_names.read(tmp_path) == {}


def test_an_image_is_read_and_its_links_stay_inside(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    services = etc / "services"
    services.write_bytes(b"mine 4000/tcp\nbroken\xff 4001/tcp\n")
    assert port_names.read(tmp_path) == {"4000/tcp": "mine", "4001/tcp": "broken\ufffd"}
    services.unlink()
    services.symlink_to("/etc/services")
    assert port_names.read(tmp_path) == {}
    other = tmp_path / "usr/etc"
    other.mkdir(parents=True)
    (other / "services").write_text("distributor 5000/udp\n")
    assert port_names.read(tmp_path) == {"5000/udp": "distributor"}


def test_a_fifo_in_an_image_does_not_make_it_wait(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/services")
    assert port_names.read(tmp_path) == {}


def test_a_file_without_end_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    with (tmp_path / "etc/services").open("wb") as file:
        file.truncate(port_names.MAX_BYTES + 1)
    assert port_names.read(tmp_path) == {}
