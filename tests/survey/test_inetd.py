import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from portward.model.net import Protocol
from portward.model.unknown import Maybe
from portward.survey.inetd import Inetd, Ports, inetd, parse_inetd, parse_xinetd, xinetd_lines

SERVICES = """\
# Network services
telnet\t\t23/tcp
tftp\t\t69/udp
daytime\t\t13/tcp
daytime\t\t13/udp
finger\t\t79/tcp\tfingerd  # old
broken
huge\t\t99999/tcp
"""
INETD = """\
# /etc/inetd.conf
#ftp\tstream\ttcp\tnowait\troot\t/usr/sbin/ftpd ftpd
telnet\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\t/usr/sbin/telnetd
127.0.0.1:tftp\tdgram\tudp4\twait.40\tnobody.tty\t/usr/sbin/tftpd tftpd /srv
[::1]:8023 stream tcp6 nowait telnetd:daemon /usr/sbin/telnetd
fingerd stream tcp46 nowait nobody /usr/sbin/fingerd
daytime stream tcp nowait root internal
mountd/1-3 dgram rpc/udp wait root /usr/sbin/rpc.mountd
/run/x stream unix nowait root /bin/cat
127.0.0.1:
too short
what stream ipx nowait root /bin/cat
"""


def owner(path: str) -> Maybe[str | None]:
    return {"/usr/sbin/telnetd": "telnetd", "/usr/sbin/in.rshd": "rsh-server"}.get(path)


def tree(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / "etc" / name.replace("__", "/").replace("_conf", ".conf")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def survey(root: Path) -> Inetd:
    found = inetd(root, owner)
    assert isinstance(found, Inetd)
    return found


def test_lines_of_inetd(tmp_path: Path) -> None:
    found = survey(tree(tmp_path, inetd_conf=INETD, services=SERVICES))
    assert [
        (line.line, line.service, line.protocol, line.port, line.user, line.program, line.package)
        for line in found.lines
    ] == [
        (3, "telnet", Protocol.TCP, 23, "root", "/usr/sbin/telnetd", "telnetd"),
        (4, "tftp", Protocol.UDP, 69, "nobody", "/usr/sbin/tftpd", None),
        (5, "8023", Protocol.TCP, 8023, "telnetd", "/usr/sbin/telnetd", "telnetd"),
        (6, "fingerd", Protocol.TCP, 79, "nobody", "/usr/sbin/fingerd", None),
        (7, "daytime", Protocol.TCP, 13, "root", "internal", None),
    ]
    assert {line.file for line in found.lines} == {"/etc/inetd.conf"}


def test_broken_lines_are_skipped_and_told(tmp_path: Path) -> None:
    found = survey(tree(tmp_path, inetd_conf=INETD, services=SERVICES))
    assert found.gaps == (
        "/etc/inetd.conf:11 is no line of inetd.conf and was skipped.",
        "/etc/inetd.conf:12 has an unknown protocol and was skipped.",
    )


def test_a_name_that_services_does_not_know_has_no_port(tmp_path: Path) -> None:
    text = "mystery stream tcp nowait root /bin/cat\n"
    found = survey(tree(tmp_path, inetd_conf=text, services=SERVICES))
    assert found.lines[0].port is None


def test_every_file_of_inetd_d_counts(tmp_path: Path) -> None:
    text = "telnet stream tcp nowait root /usr/sbin/telnetd\n"
    found = survey(tree(tmp_path, services=SERVICES, **{"inetd.d__telnet": text}))
    assert [(line.file, line.line, line.port) for line in found.lines] == [
        ("/etc/inetd.d/telnet", 1, 23)
    ]


XINETD = """\
defaults
{
    instances = 60
    disabled = finger
}
includedir /etc/xinetd.d
"""
TELNET = """\
# default: on
service telnet
{
    flags       = REUSE
    socket_type = stream
    wait        = no
    user        = root
    server      = /usr/sbin/telnetd
    server_args = -h
    bind        = 127.0.0.1
}
"""
OTHERS = """\
service tftp
{
    disable = yes
    socket_type = dgram
}
service finger
{
    socket_type = stream
    server = /usr/sbin/fingerd
}
service myshell
{
    type = UNLISTED
    port = 514
    socket_type = stream
    server = /usr/sbin/in.rshd
    user = operator
}
service daytime
{
    id = daytime-dgram
    type = INTERNAL
    socket_type = dgram
}
service nfs {
    type = RPC
}
"""


def test_services_of_xinetd(tmp_path: Path) -> None:
    root = tree(tmp_path, xinetd_conf=XINETD, services=SERVICES)
    (root / "etc/xinetd.d").mkdir()
    (root / "etc/xinetd.d/telnet").write_text(TELNET)
    (root / "etc/xinetd.d/others").write_text(OTHERS)
    (root / "etc/xinetd.d/telnet.dpkg-old").write_text(TELNET)
    found = survey(root)
    assert found.gaps == ()
    assert [
        (line.file, line.line, line.service, line.protocol, line.port, line.user, line.program)
        for line in found.lines
    ] == [
        ("/etc/xinetd.d/others", 11, "myshell", Protocol.TCP, 514, "operator", "/usr/sbin/in.rshd"),
        ("/etc/xinetd.d/others", 19, "daytime", Protocol.UDP, 13, "root", "internal"),
        ("/etc/xinetd.d/telnet", 2, "telnet", Protocol.TCP, 23, "root", "/usr/sbin/telnetd"),
    ]


def test_a_list_of_enabled_services_excludes_all_others() -> None:
    conf = parse_xinetd("defaults\n{\nenabled = telnet\n}\n", "conf")
    telnet, others = parse_xinetd(TELNET, "a"), parse_xinetd(OTHERS, "b")
    assert [line.service for line in xinetd_lines((conf, telnet, others))] == ["telnet"]


def test_broken_xinetd_is_skipped_and_told() -> None:
    parsed = parse_xinetd("nonsense\nservice a\n{\n server = /bin/a\n ???\n", "x")
    assert parsed.blocks == ()
    assert parsed.gaps == (
        "x:1 is no line of xinetd's and was skipped.",
        "x:5 is no line of xinetd's and was skipped.",
        "x:2 opens a block that nothing closes; it was skipped.",
    )


def test_xinetd_files_that_include_each_other_end(tmp_path: Path) -> None:
    assert survey(tree(tmp_path, xinetd_conf="include /etc/xinetd.conf\n")).lines == ()


def test_one_odd_file_hides_no_other(tmp_path: Path) -> None:
    tree(tmp_path, inetd_conf=INETD, xinetd_conf="includedir /etc/xinetd.d\n")
    (tmp_path / "etc/xinetd.d").mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "etc/xinetd.d/a")
    tmp_path.joinpath("etc/xinetd.d/b").write_text("service tftp\n{\n server = /bin/tftpd\n}\n")
    found = survey(tmp_path)
    assert {"telnet", "tftp"} <= {line.service for line in found.lines}
    assert "/etc/xinetd.d/a could not be read and was skipped: Not a regular file." in found.gaps


def test_a_machine_without_either(tmp_path: Path) -> None:
    assert inetd(tmp_path, owner) == Inetd((), ())


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for line in parse_inetd(text, "f").lines:
        assert line.line > 0
    xinetd_lines((parse_xinetd(text, "f"),))
    Ports(text)


WORDS = st.sampled_from(
    ["service", "telnet", "{", "}", "=", "+=", "disable", "yes", "stream", "tcp", "\n", "#", "port"]
)


@given(st.lists(WORDS).map(" ".join))
def test_any_shuffle_of_its_own_words_is_read(text: str) -> None:
    parse_inetd(text, "f")
    xinetd_lines((parse_xinetd(text, "f"),))
