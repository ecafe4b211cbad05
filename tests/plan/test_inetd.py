from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from build import allowance, case, policy, unit
from portward.model.host import InetdLine
from portward.model.net import Protocol
from portward.model.plan import Enabling, ReloadUnit, SetUnits, UnitState, WriteFile
from portward.plan.inetd import inetd, without
from portward.survey.inetd import parse_inetd, parse_xinetd, xinetd_lines

CONF = """\
# /etc/inetd.conf
#time stream tcp nowait root internal
telnet stream tcp nowait root /usr/sbin/telnetd telnetd
finger stream tcp nowait nobody /usr/sbin/fingerd fingerd
"""


def line(number: int, service: str, port: int, file: str = "/etc/inetd.conf") -> InetdLine:
    return InetdLine(
        file=file,
        line=number,
        service=service,
        protocol=Protocol.TCP,
        port=port,
        user="root",
        program=f"/usr/sbin/{service}d",
        package=None,
    )


BOTH = (line(3, "telnet", 23), line(4, "finger", 79))
RUNNING = (unit("inetutils-inetd.service"),)


def test_lines_are_marked_as_update_inetd_does_and_no_other_byte_changes() -> None:
    part = inetd(case(inetd=BOTH, files={"/etc/inetd.conf": CONF}, units=RUNNING))
    (change,) = part.changes
    written, *after = change.steps
    assert isinstance(written, WriteFile)
    assert written.text == CONF.replace("telnet stream", "#<off># telnet stream").replace(
        "finger stream", "#<off># finger stream"
    )
    # Nothing is left to serve, so the super-server ends.
    ended = UnitState(unit="inetutils-inetd.service", active=False, enabling=Enabling.MASKED)
    assert after == [SetUnits(units=(ended,))]


def test_a_line_that_the_policy_allows_stays_and_the_server_reads_its_file_again() -> None:
    made = case(
        inetd=BOTH,
        files={"/etc/inetd.conf": CONF},
        units=RUNNING,
        policy=policy(allowance("79/tcp")),
    )
    (change,) = inetd(made).changes
    assert "finger" not in change.title
    assert change.steps[1:] == (ReloadUnit(unit="inetutils-inetd.service"),)


def test_a_file_that_could_not_be_read_is_left_to_a_person() -> None:
    part = inetd(case(inetd=BOTH, files={}, units=RUNNING))
    assert not part.changes
    assert "by hand" in part.notes[0]


def test_blocks_of_xinetd_are_disabled_and_nothing_else() -> None:
    text = """\
service telnet
{
\tdisable\t= no
\tserver = /usr/sbin/telnetd
}
service finger
{
\tserver = /usr/sbin/fingerd
}
"""
    lines = xinetd_lines((parse_xinetd(text, "/etc/xinetd.d/old"),))
    wanted = [line(one.line, one.service, 1, "/etc/xinetd.d/old") for one in lines]
    off = without(text, wanted[:1])
    assert [one.service for one in _served(off)] == ["finger"]
    assert not _served(without(text, wanted))


def _served(text: str) -> Iterable[InetdLine]:
    found = xinetd_lines((parse_xinetd(text, "/etc/xinetd.d/old"),))
    return [line(one.line, one.service, 1) for one in found]


@given(
    st.lists(
        st.sampled_from(
            (
                "",
                "# a comment",
                "telnet stream tcp nowait root /usr/sbin/telnetd telnetd",
                "ftp stream tcp nowait root /usr/sbin/ftpd ftpd -l",
                "   ",
            )
        ),
        max_size=12,
    ),
    st.data(),
)
def test_what_is_switched_off_is_gone_and_the_rest_is_served_as_before(
    written: list[str], data: st.DataObject
) -> None:
    text = "".join(f"{one}\n" for one in written)
    lines = [line(one.line, one.service, 1) for one in parse_inetd(text, "/etc/inetd.conf").lines]
    off = data.draw(st.lists(st.sampled_from(lines), unique=True)) if lines else []
    left = parse_inetd(without(text, off), "/etc/inetd.conf").lines
    assert [one.line for one in left] == [one.line for one in lines if one not in off]
