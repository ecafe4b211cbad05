import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.survey.sysctl_files import Assignment, dotted, outcome, parse, path_of

ETH = ["all", "default", "eth0", "eth0.100"]
PATHS = [
    "net/ipv4/ip_forward",
    "net/ipv4/tcp_syncookies",
    *(f"net/ipv4/conf/{name}/{key}" for name in ETH for key in ("forwarding", "rp_filter")),
]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("/net//ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("single", "single"),
    ],
)
def test_keys_as_people_write_them(key: str, path: str) -> None:
    assert path_of(key) == path


def test_the_key_with_dots() -> None:
    assert dotted("net/ipv4/conf/eth0.100/rp_filter") == "net.ipv4.conf.eth0/100.rp_filter"


def test_lines() -> None:
    text = "# no\n; no\n\nno assignment\n a.b =  1   2\t3 \n-c.d = 5\n-e.f\n= 7\ng.h=\n-"
    assert parse(text, "f") == [
        Assignment("a/b", "1 2 3", "f:5"),
        Assignment("c/d", "5", "f:6"),
        Assignment("e/f", None, "f:7"),
        Assignment("g/h", "", "f:9"),
    ]


def decided(text: str) -> dict[str, tuple[str | None, str]]:
    found = outcome(parse(text, "f"), PATHS)
    return {path: (each.value, each.where) for path, each in found.items()}


def test_the_last_line_decides() -> None:
    text = "net.ipv4.tcp_syncookies=0\nnet/ipv4/tcp_syncookies=1\n"
    assert decided(text) == {"net/ipv4/tcp_syncookies": ("1", "f:2")}


def test_a_glob_spares_keys_named_exactly_wherever_they_stand() -> None:
    text = (
        "net.ipv4.conf.eth0.rp_filter=2\n"
        "-net.ipv4.conf.default.rp_filter\n"
        "net.ipv4.conf.*.rp_filter=1\n"
    )
    assert decided(text) == {
        "net/ipv4/conf/eth0/rp_filter": ("2", "f:1"),
        "net/ipv4/conf/all/rp_filter": ("1", "f:3"),
        "net/ipv4/conf/eth0.100/rp_filter": ("1", "f:3"),
    }


def test_a_star_stays_within_its_part() -> None:
    assert decided("net.*.rp_filter = 1") == {}
    assert set(decided("net.ipv4.conf.e*.rp_filter = 1")) == {
        "net/ipv4/conf/eth0/rp_filter",
        "net/ipv4/conf/eth0.100/rp_filter",
    }


def test_a_repeated_value_keeps_its_first_place() -> None:
    text = "net.ipv4.conf.e*.rp_filter=1\nnet.ipv4.conf.*.rp_filter=2\nnet.ipv4.conf.e*.rp_filter=1"
    assert decided(text)["net/ipv4/conf/eth0/rp_filter"] == ("2", "f:2")


def test_forwarding_has_two_names_and_reaches_every_interface() -> None:
    found = decided("net.ipv4.conf.eth0.forwarding=0\nnet.ipv4.conf.all.forwarding=1\n")
    forwarding = {path: value for path, (value, _) in found.items()}
    assert forwarding["net/ipv4/ip_forward"] == "1"
    assert forwarding["net/ipv4/conf/eth0/forwarding"] == "1"
    back = decided("net.ipv4.conf.all.forwarding=1\nnet.ipv4.ip_forward=0\n")
    assert back["net/ipv4/conf/all/forwarding"] == ("0", "f:2")


@given(st.text(alphabet="net./ip v4cof*?[]-=#;\n1é\udcff\0"))
def test_any_text_is_read(text: str) -> None:
    outcome(parse(text, "f"), PATHS)
