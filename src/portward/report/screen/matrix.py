"""The screens of ``portward reach --matrix`` and ``portward reach --diff``."""

from collections.abc import Iterable

from portward.model.net import Family
from portward.model.reaching import Answer, Change, Difference, Matrix, Opening
from portward.model.words import printable
from portward.report.screen import Column, Heading, Paragraph, Row, Screen, Table, Tone
from portward.report.screen.reach import FAMILIES, TONES, gaps

_CHANGES = {"opens": Tone.EXPOSED, "closes": Tone.ALLOWED, "perhaps": Tone.UNKNOWN}
_ALL = "0-65535"
_MOST_INTERFACES = 4
_WHICH = "Which rules decide: portward reach PORT for one port, --format json for all."


def matrix(found: Matrix) -> Screen:
    """Show every class of sources, and the ports that it reaches."""
    if not found.classes:
        # What is not known is no "nobody".
        text = "Nothing can be said." if found.gaps else "Nobody can reach any port from outside."
        return [(Paragraph(((text, Tone.PLAIN),)),), *gaps(found.gaps)]
    reach: dict[str, list[Opening]] = {}
    for opening in found.reach:
        reach.setdefault(opening.source, []).append(opening)
    rows: dict[tuple[str, str, str], list[Family]] = {}
    for one in found.classes:
        cells = one.words, _some(one.interfaces), "; ".join(_reached(reach[one.name]))
        rows.setdefault(cells, []).append(one.family)
    columns = (
        Column("sources", 0, good=30),
        Column("by", 0, good=20),
        Column("family", 1),
        Column("reach", 0, good=40),
    )
    table = tuple(
        Row(Tone.PLAIN, tuple(map(printable, (words, by, _families(families), ports))))
        for (words, by, ports), families in rows.items()
    )
    which = Paragraph(((_WHICH, Tone.QUIET),))
    return [(Table(columns, table),), (which,), *gaps(found.gaps)]


def _reached(openings: Iterable[Opening]) -> list[str]:
    """Write ports, those together that differ in nothing but the rule that lets them in."""
    joined: dict[tuple[str, str], list[str]] = {}
    for one in openings:
        notes = [f"to {', '.join(one.to)}"] if one.to else []
        notes += [f"from source port {one.source_ports} only"] if one.source_ports else []
        notes += [f"ends at {', '.join(one.delivered)}"] if one.delivered else []
        if one.answer == Answer.PERHAPS:
            notes.append("perhaps")
        joined.setdefault((str(one.protocol), ", ".join(notes)), []).append(one.ports)
    written = []
    for (protocol, notes_text), ports in joined.items():
        spans = sorted((span for text in ports for span in text.split(", ")), key=_first)
        written.append(f"{_named(', '.join(spans), protocol)} {notes_text}".rstrip())
    return written


def _first(span: str) -> int:
    return int(span.partition("-")[0])


def _named(ports: str, protocol: str) -> str:
    return f"all/{protocol}" if ports == _ALL else f"{ports}/{protocol}"


def _families(families: Iterable[Family]) -> str:
    return ", ".join(dict.fromkeys(FAMILIES[one] for one in families))


def _some(interfaces: tuple[str, ...]) -> str:
    more = len(interfaces) - _MOST_INTERFACES
    shown = ", ".join(interfaces[:_MOST_INTERFACES])
    return f"{shown} and {more} more" if more > 0 else shown


def difference(found: Difference) -> Screen:
    """Show what opens and what closes."""
    names = f"{printable(found.old)} -> {printable(found.new)}"
    if not found.changes:
        if found.gaps:
            same = Heading(Tone.UNKNOWN, ((f"{names}: nothing is known to change.", Tone.UNKNOWN),))
        else:
            same = Heading(TONES[Answer.NO], ((f"{names}: nothing opens or closes.", Tone.PLAIN),))
        return [(same,), *gaps(found.gaps)]
    rows: dict[tuple[Tone, str, str, str, str], list[Family]] = {}
    for one in found.changes:
        what = one.what if one.what != "perhaps" else f"{one.before} -> {one.after}"
        row = (_CHANGES[one.what], what, _changed(one), one.words, _some(one.interfaces))
        rows.setdefault(row, []).append(one.family)
    columns = (
        Column("", 0, toned=True),
        Column("port", 0, good=20),
        Column("for", 0, good=30),
        Column("by", 0, good=20),
        Column("family", 1),
    )
    table = tuple(
        Row(tone, tuple(map(printable, (*cells, _families(families)))))
        for (tone, *cells), families in rows.items()
    )
    return [
        (Paragraph(((names, Tone.TITLE),)),),
        (Table(columns, table),),
        *gaps(found.gaps),
    ]


def _changed(one: Change) -> str:
    only = f" from source port {one.source_ports} only" if one.source_ports else ""
    return _named(one.ports, one.protocol) + only
