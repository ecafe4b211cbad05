"""What ``portward scan --diff`` shows."""

from collections.abc import Callable

from portward.model.net import Protocol
from portward.model.scan import PortChange, PortState, ScanDifference
from portward.report import Look, plain
from portward.report import json as format_json
from report.sample_scan import ESCAPE

OPEN, CLOSED = (PortState.OPEN,), (PortState.CLOSED,)


def change(port: int, before: tuple[PortState, ...], after: tuple[PortState, ...]) -> PortChange:
    return PortChange(
        address="192.0.2.1",
        protocol=Protocol.TCP,
        port=port,
        before=before,
        after=after,
        now=f"ssh: {ESCAPE}",
    )


FOUND = ScanDifference(
    old=f"old{ESCAPE}.json",
    new="new.json",
    changes=(
        change(22, OPEN, CLOSED),
        change(80, CLOSED, OPEN),
        change(443, CLOSED, (PortState.FILTERED, PortState.REFUSED)),
    ),
    gaps=("Only new.json has 192.0.2.2.",),
)
NONE = ScanDifference(old="old.json", new="new.json", changes=())


def test_screen(golden: Callable[[str, str], None]) -> None:
    golden("changes.plain.txt", plain.changes(FOUND, Look(width=100)))
    golden("changes.none.plain.txt", plain.changes(NONE, Look(width=100)))


def test_json(golden: Callable[[str, str], None]) -> None:
    golden("changes.json", format_json.changes(FOUND, Look()))


def test_what_was_not_compared_is_not_called_equal() -> None:
    said = plain.changes(ScanDifference(old="a", new="b", changes=(), gaps=("x.",)), Look())
    assert "as far as both tell" in said
