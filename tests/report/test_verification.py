"""What ``portward verify`` shows."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from portward.model.net import Protocol
from portward.model.reaching import Answer, Deciding
from portward.model.scan import PortState
from portward.model.verification import SEVERITIES, Outcome, Verification, Verified, View
from portward.report import Look, plain, terminal
from portward.report import json as format_json
from portward.report.screen import Tone
from portward.report.screen import verification as screen
from report.sample_scan import ESCAPE, STARTED

DROP = Deciding(
    verdict="drop",
    words=f"policy drop of inet filter input{ESCAPE}",
    family="inet",
    table="filter",
    chain="input",
    rule=None,
    handle=None,
)


def port(number: int, outcome: Outcome, source: str = "203.0.113.37", **facts: object) -> Verified:
    given: dict[str, object] = {
        "address": "198.51.100.7",
        "protocol": Protocol.TCP,
        "source": source,
        "seen": (PortState.OPEN,),
        "listens": True,
        "reach": Answer.NO,
        "intended": False,
        "why": f"It is a test of {outcome}.",
        "service": "ssh",
        "program": f"sshd{ESCAPE}",
        "decided_by": (DROP,),
    }
    return Verified(port=number, outcome=outcome, **(given | facts))  # type: ignore[arg-type]


def view(source: str, stands_for: str = "", **facts: object) -> View:
    given: dict[str, object] = {
        "address": "198.51.100.7",
        "interface": "pw-0a1b2c3d",
        "engine": "bpf",
        "started": STARTED,
        "asked": {"tcp": "1-65535", "udp": "161"},
        "must_fail": 65_534,
        "failed": 65_534,
        "got_through": 0,
        "must_succeed": 1,
        "succeeded": 1,
        "untold": 0,
    }
    return View(source=source, stands_for=stands_for, **(given | facts))  # type: ignore[arg-type]


def right() -> Verification:
    """A machine on which everything is as it should be."""
    open_: dict[str, Any] = {"reach": Answer.YES, "intended": True, "decided_by": ()}
    return Verification(
        hostname=f"web1{ESCAPE}",
        taken=STARTED,
        views=(view("203.0.113.37", "everyone"), view("10.0.0.37", "private networks")),
        ports=(
            port(80, Outcome.EXPOSED, **open_),
            port(80, Outcome.EXPOSED, "10.0.0.37", **open_),
            port(22, Outcome.CLOSED, seen=(PortState.FILTERED,)),
        ),
        notes=("203.0.113.37 stands for everyone.",),
    )


def wrong() -> Verification:
    """The same machine with one of each outcome."""
    untold = {"seen": (PortState.SILENT,), "protocol": Protocol.UDP, "reach": Answer.PERHAPS}
    return replace(
        right(),
        views=(
            view("203.0.113.37", "everyone", failed=65_530, got_through=3, untold=1),
            view("", succeeded=0, interface="", asked={}, must_fail=0, failed=0),
        ),
        ports=(
            port(5432, Outcome.BYPASSED, answers="http"),
            port(9999, Outcome.HIDDEN, listens=False, service="", program="", decided_by=()),
            port(8080, Outcome.UNINTENDED, reach=Answer.YES),
            port(25, Outcome.BLOCKED, seen=(PortState.FILTERED,), intended=True),
            port(443, Outcome.UPSTREAM, seen=(PortState.CLOSED, PortState.FILTERED)),
            port(161, Outcome.UNTOLD, "", **untold),
            *right().ports,
        ),
        gaps=("The scan was stopped early.",),
    )


@pytest.mark.parametrize("name", ["right", "wrong"])
def test_screen(golden: Callable[[str, str], None], name: str) -> None:
    found = {"right": right(), "wrong": wrong()}[name]
    golden(f"verification.{name}.plain.80.txt", plain.verification(found, Look(width=80)))
    golden(f"verification.{name}.plain.txt", plain.verification(found, Look(width=140)))


def test_json(golden: Callable[[str, str], None]) -> None:
    golden("verification.json", format_json.verification(wrong(), Look()))
    assert json.loads(format_json.verification(wrong(), Look()))["schema"] == (
        "portward-verification/1"
    )


def test_nothing_from_outside_reaches_a_terminal_raw() -> None:
    for text in (
        plain.verification(wrong(), Look(width=100)),
        format_json.verification(wrong(), Look()),
    ):
        assert not {char for char in text if not char.isprintable()} - {"\n"}
    coloured = terminal.verification(wrong(), Look(width=100, colour=True))
    assert "\x1b]0;owned" not in coloured
    assert "\x1b[2J" not in coloured


def test_the_gravest_finding_gives_the_tone() -> None:
    assert screen.verdict(right())[1] == Tone.ALLOWED
    assert screen.verdict(wrong())[1] == Tone.CRITICAL
    unsure = replace(right(), gaps=("Something.",))
    assert screen.verdict(unsure)[1] == Tone.UNKNOWN
    low = replace(right(), ports=(port(443, Outcome.UPSTREAM),))
    assert screen.verdict(low)[1] == Tone.LOW


def test_every_outcome_has_a_look() -> None:
    assert set(screen.TONES) == set(Outcome)
    assert set(SEVERITIES) | {Outcome.EXPOSED, Outcome.CLOSED, Outcome.UNTOLD} == set(Outcome)
