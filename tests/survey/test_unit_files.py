import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.net import Protocol
from portward.survey.unit_files import (
    Endpoint,
    Settings,
    activated,
    assignments,
    endpoints,
    expand,
    parse_address,
    template,
)


def test_later_texts_add_and_empty_assignments_forget() -> None:
    settings = Settings(
        "[Socket]\nListenStream=22\nAccept=no\n",
        "[Socket]\nListenStream=\nListenStream = 127.0.0.1:2222\n",
    )
    assert settings.all("Socket", "ListenStream") == ("127.0.0.1:2222",)
    assert settings.last("Socket", "Accept") == "no"
    assert settings.last("Socket", "Service") == ""


def test_comments_continuations_and_nonsense() -> None:
    text = "stray=1\n# no\n; no\n[Install]\nWantedBy=a \\\n# inside\n  b\nnonsense\n[X\n"
    assert [one for one in assignments(text) if one[1]] == [("Install", "WantedBy", "a  b")]
    assert Settings(text).words("Install", "WantedBy") == ("a", "b")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("22", (None, 22)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:631", ("::1", 631)),
        ("[fe80::1%eth0]:5", ("fe80::1", 5)),
        ("/run/x.sock", None),
        ("@abstract:1", None),
        ("vsock:2:1234", None),
        ("65536", None),
        ("", None),
        ("٣", None),
    ],
)
def test_addresses_as_a_socket_unit_writes_them(
    text: str, place: tuple[str | None, int] | None
) -> None:
    assert parse_address(text) == place


def test_ports_of_a_socket_unit() -> None:
    settings = Settings(
        "[Socket]\nListenStream=/run/x\nListenStream=%i\nListenDatagram=127.0.0.1:69\n"
        "ListenNetlink=route 1\n"
    )
    assert list(endpoints(settings, "x@8080.socket")) == [
        Endpoint(Protocol.TCP, None, 8080),
        Endpoint(Protocol.UDP, "127.0.0.1", 69),
    ]
    sctp = Settings("[Socket]\nSocketProtocol=sctp\nListenStream=9\n")
    assert list(endpoints(sctp, "s.socket")) == [Endpoint(Protocol.SCTP, None, 9)]


@pytest.mark.parametrize(
    ("text", "name", "service"),
    [
        ("[Socket]\nListenStream=1\n", "cups.socket", "cups.service"),
        ("[Socket]\nAccept=yes\n", "telnet.socket", "telnet@.service"),
        ("[Socket]\nService=other.service\n", "x.socket", "other.service"),
        ("[Timer]\n", "apt-daily.timer", "apt-daily.service"),
        ("[Path]\nUnit=%p-run.service\n", "y.path", "y-run.service"),
    ],
)
def test_what_a_unit_starts(text: str, name: str, service: str) -> None:
    assert activated(Settings(text), name) == service


def test_names_of_instances() -> None:
    assert template("postgresql@15-main.service") == "postgresql@.service"
    assert template("postgresql@.service") is None
    assert template("ssh.service") is None
    assert expand("%i %p %n %N %% %h", "a@b.service") == "b a a@b.service a@b % %h"


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    settings = Settings(text)
    list(endpoints(settings, "x.socket"))
    activated(settings, "x.socket")
    expand(text, text)
    template(text)


WORDS = ["[Socket]", "ListenStream", "=", "22", "\n", "\\", "[", "]", "%i", ":", "Accept=yes", "#"]


@given(st.lists(st.sampled_from(WORDS)).map("".join))
def test_any_shuffle_of_its_own_words_is_read(text: str) -> None:
    for endpoint in endpoints(Settings(text), "x@1.socket"):
        assert 0 <= endpoint.port <= 65535
