import pytest
from msgspec.structs import replace

import build
from portward.model.host import ExeState, Kernel, Listener
from portward.model.net import Family
from portward.model.status import Basis, Reach, Scope, Verdict
from portward.model.unknown import NEEDS_ROOT
from portward.report.screen import Tone
from portward.report.screen.ports import OpenPort, open_ports, program, reach_words

SSH = build.service("ssh", "22/tcp")


def rows(*listeners: Listener) -> list[OpenPort]:
    return open_ports(build.case(*(build.exposure(one) for one in listeners)))


def test_twins_of_both_families_are_one_row() -> None:
    [row] = rows(build.listener("80/tcp"), build.listener("80/tcp", "::"))
    assert (row.ports, row.addresses, row.size) == ("80/tcp", "0.0.0.0, ::", 1)


def test_the_same_port_of_another_owner_or_protocol_is_another_row() -> None:
    found = rows(
        build.listener("53/udp"),
        build.listener("53/tcp"),
        build.listener("53/tcp", exe="/usr/sbin/named"),
        build.listener("53/tcp", unit="other.service"),
        build.listener("53/tcp", container="web", namespace="web"),
    )
    assert len(found) == 5


def test_contiguous_ports_of_one_owner_are_a_range() -> None:
    ports = [20000, 20001, 20002, 20003, 30000, 30001, 40000]
    found = rows(*(build.listener(f"{port}/tcp") for port in reversed(ports)))
    assert [row.ports for row in found] == [
        "20000-20003/tcp",
        "30000/tcp",
        "30001/tcp",
        "40000/tcp",
    ]
    assert [row.size for row in found] == [4, 1, 1, 1]


def test_the_widest_reach_comes_first_and_what_is_not_allowed_before_the_rest() -> None:
    kinds = [
        ("9/tcp", Scope.HOST, Verdict.LOCAL),
        ("8/tcp", Scope.NETWORKS, Verdict.NOT_ALLOWED),
        ("7/tcp", Scope.EVERYONE, Verdict.ALLOWED),
        ("6/tcp", Scope.UNKNOWN, Verdict.NOT_ALLOWED),
        ("5000/tcp", Scope.EVERYONE, Verdict.NOT_ALLOWED),
        ("5/tcp", Scope.NOBODY, Verdict.LOCAL),
        ("50/tcp", Scope.EVERYONE, Verdict.NOT_ALLOWED),
    ]
    found = open_ports(
        build.case(
            *(
                build.exposure(build.listener(port), scope=scope, verdict=verdict)
                for port, scope, verdict in kinds
            )
        )
    )
    assert [row.ports for row in found] == [
        "50/tcp",
        "5000/tcp",
        "7/tcp",
        "6/tcp",
        "8/tcp",
        "9/tcp",
        "5/tcp",
    ]
    assert [row.tone for row in found] == [
        Tone.EXPOSED,
        Tone.EXPOSED,
        Tone.ALLOWED,
        Tone.UNKNOWN,
        Tone.PARTLY,
        Tone.LOCAL,
        Tone.LOCAL,
    ]


def test_a_service_known_by_its_port_alone_carries_a_question_mark() -> None:
    case = build.case(
        build.exposure(build.listener("22/tcp"), SSH),
        build.exposure(build.listener("23/tcp"), build.service("telnet"), basis=Basis.PORT),
        build.exposure(build.listener("24/tcp")),
        build.exposure(build.listener("25/tcp")),
        port_names={"24/tcp": "lmtp"},
    )
    assert [row.service for row in open_ports(case)] == ["ssh", "telnet?", "lmtp?", "-"]


def test_none_and_unknown_are_told_apart() -> None:
    known, unknown = rows(
        build.listener("1/tcp", process=None, unit=None, package=None),
        build.listener("2/tcp", process=NEEDS_ROOT, unit=NEEDS_ROOT, package=NEEDS_ROOT),
    )
    assert (known.program, known.unit, known.package, known.pid) == ("no process", "-", "-", "-")
    assert (unknown.program, unknown.unit, unknown.package) == ("unknown", "unknown", "unknown")
    assert unknown.pid == "unknown"


@pytest.mark.parametrize(
    ("exe", "cmdline", "name"),
    [
        ("/usr/sbin/nginx", ("nginx: master",), "nginx"),
        ("/usr/bin/python3.11", ("python3", "-u", "/srv/app.py", "x"), "python3.11 app.py"),
        ("/usr/bin/python3.11", ("python3", "-m", "http.server"), "python3.11 -m http.server"),
        ("/usr/bin/python3.11", ("python3", "-c", "import os; os.listdir('/x')"), "python3.11 -c"),
        ("/usr/bin/perl", ("perl", "-e", "print 1/2"), "perl -e"),
        ("/usr/bin/java", ("java", "-Xmx1g", "-jar", "/opt/a.jar"), "java -jar a.jar"),
        ("/usr/bin/node", ("node",), "node"),
        ("/usr/bin/perl", (), "perl"),
    ],
)
def test_an_interpreter_is_named_with_what_it_runs(
    exe: str, cmdline: tuple[str, ...], name: str
) -> None:
    assert program(build.listener(process=build.process(exe, cmdline=cmdline))) == name


def test_a_program_is_named_with_what_is_odd_about_it() -> None:
    def named(**facts: object) -> str:
        return program(build.listener(process=build.process("/opt/x", **facts)))

    assert named(exe_state=ExeState.DELETED) == "x (deleted)"
    assert named(exe_state=ExeState.MEMORY) == "x (memory only)"
    assert named(exe_state=ExeState.REPLACED) == "x (replaced)"
    assert named(exe_state=NEEDS_ROOT) == "x"
    hidden = replace(build.process(), exe=NEEDS_ROOT)
    assert program(build.listener(process=hidden)) == "sshd?"
    assert program(build.listener(process=Kernel(name="nfsd"))) == "kernel (nfsd)"
    assert program(build.listener(activates="ssh.service")) == "sshd for ssh.service"


def test_workers_are_counted_with_the_lowest_pid() -> None:
    worker = build.process(pid=20, sharers=(21, 22))
    [row] = rows(build.listener(process=worker), build.listener(address="::", process=worker))
    assert row.pid == "20 +2"


def test_names_from_outside_cannot_repaint_the_screen() -> None:
    evil = "\x1b[2J\u202e\n"
    [row] = rows(
        build.listener(
            process=build.process("/" + evil),
            unit=evil,
            package=evil,
            container=evil,
            device=evil,
        )
    )
    assert all(text.isprintable() for text in row if isinstance(text, str))


def test_reach_in_words() -> None:
    def words(scope: Scope, reason: str = "", networks: tuple[str, ...] = ()) -> str:
        return reach_words(Reach(scope=scope, reason=reason, networks=networks))

    assert words(Scope.EVERYONE) == "everyone"
    assert words(Scope.NETWORKS, networks=("10.0.0.0/8",)) == "10.0.0.0/8"
    assert words(Scope.NETWORKS, networks=("a", "b", "c", "d")) == "a, b, 2 more"
    assert words(Scope.NETWORKS) == "some networks"
    assert words(Scope.UNKNOWN, "needs root") == "unknown (needs root)"
    assert words(Scope.UNKNOWN, "a reason that is too long for a cell") == "unknown"
    assert words(Scope.HOST) == "this host"


def test_raw_and_packet_sockets_are_never_ranges() -> None:
    found = rows(
        *(build.listener(f"{number}/raw") for number in (1, 2, 3)),
        build.listener("3/packet", "", device="eth0", family=Family.LINK),
        build.listener("40000/tcp"),
    )
    assert [row.ports for row in found] == ["40000/tcp", "raw 1", "raw 2", "raw 3", "packet"]
    assert found[-1].addresses == "eth0"


def test_what_only_its_own_network_reaches_says_which() -> None:
    places: tuple[dict[str, str], ...] = (
        {},
        {"container": "web", "namespace": "web"},
        {"namespace": "blue"},
    )
    case = build.case(
        *(
            build.exposure(build.listener(**place), scope=Scope.HOST, verdict=Verdict.LOCAL)
            for place in places
        )
    )
    assert {(row.place, row.reach) for row in open_ports(case)} == {
        ("", "this host"),
        ("web", "its container"),
        ("blue", "its namespace"),
    }
