"""The screen of ``portward scan --diff``."""

from portward.model.net import Protocol
from portward.model.scan import PortChange, ScanDifference
from portward.model.words import printable
from portward.report.screen import (
    Column,
    Heading,
    Listing,
    Paragraph,
    Row,
    Screen,
    Table,
    Tone,
)

_COLUMNS = (
    Column("Host", 0),
    Column("Port", 0),
    Column("Change", 0, toned=True),
    Column("Before", 1),
    Column("After", 1),
)


def changes(found: ScanDifference) -> Screen:
    """Show what opened first, then what closed, then the rest."""
    if found.changes:
        opened = sum(one.opened for one in found.changes)
        closed = sum(one.closed for one in found.changes)
        other = len(found.changes) - opened - closed
        tone = Tone.EXPOSED if opened else Tone.PARTLY
        words = f"{opened} opened, {closed} closed, {other} changed otherwise."
        screen: Screen = [(Heading(tone, ((words, Tone.TITLE),)),)]
        rows = sorted(found.changes, key=lambda one: (not one.opened, not one.closed))
        screen.append((Table(_COLUMNS, tuple(map(_row, rows))),))
    else:
        tone = Tone.UNKNOWN if found.gaps else Tone.ALLOWED
        words = f"Nothing differs between {printable(found.old)} and {printable(found.new)}"
        rest = ", as far as both tell." if found.gaps else "."
        screen = [(Heading(tone, ((words + rest, Tone.TITLE),)),)]
    if found.gaps:
        title = Paragraph((("Not everything could be compared:", Tone.UNKNOWN),))
        items = tuple(((printable(one), Tone.PLAIN),) for one in found.gaps)
        screen.append((title, Listing(items, indent=2)))
    return screen


def _row(one: PortChange) -> Row:
    word, tone = "changed", Tone.PARTLY
    if one.opened:
        word, tone = "opened", Tone.EXPOSED
    elif one.closed:
        word, tone = "closed", Tone.LOCAL
    return Row(
        tone,
        (
            one.address,
            f"{one.port}/{Protocol(one.protocol)}",
            word,
            _side(one.before, one.was),
            _side(one.after, one.now),
        ),
    )


def _side(states: tuple[str, ...], spoken: str) -> str:
    words = " or ".join(states)
    return printable(f"{words} ({spoken})") if spoken else words
