"""The screens of ``portward reach --matrix`` and ``portward reach --diff``."""

from portward.model.reaching import Answer, Change, Difference, Matrix, Opening
from portward.model.words import printable
from portward.report.screen import Column, Heading, Paragraph, Row, Screen, Table, Tone
from portward.report.screen.reach import FAMILIES, TONES, gaps

_CHANGES = {"opens": Tone.EXPOSED, "closes": Tone.ALLOWED, "perhaps": Tone.UNKNOWN}


def matrix(found: Matrix) -> Screen:
    """Show every class of sources, and the ports that it reaches."""
    if not found.classes:
        text = "Nobody can reach any port from outside."
        return [(Paragraph(((text, Tone.PLAIN),)),), *gaps(found.gaps)]
    rows = []
    for one in found.classes:
        ports = [
            _ports(opening) + " perhaps" * (opening.answer == Answer.PERHAPS)
            for opening in found.reach
            if opening.source == one.name
        ]
        cells = (one.words, one.interface, FAMILIES[one.family], "; ".join(ports))
        rows.append(Row(Tone.PLAIN, tuple(map(printable, cells))))
    columns = (
        Column("sources", 0, good=30),
        Column("by", 0),
        Column("family", 1),
        Column("reach", 0, good=40),
    )
    return [(Table(columns, tuple(rows)),), *gaps(found.gaps)]


def difference(found: Difference) -> Screen:
    """Show what opens and what closes."""
    names = f"{printable(found.old)} -> {printable(found.new)}"
    if not found.changes:
        same = Heading(TONES[Answer.NO], ((f"{names}: nothing opens or closes.", Tone.PLAIN),))
        return [(same,), *gaps(found.gaps)]
    rows = []
    for one in found.changes:
        what = one.what if one.what != "perhaps" else f"{one.before} -> {one.after}"
        cells = (what, _ports(one), one.words, one.interface, FAMILIES[one.family])
        rows.append(Row(_CHANGES[one.what], tuple(map(printable, cells))))
    columns = (
        Column("", 0, toned=True),
        Column("port", 0),
        Column("for", 0, good=30),
        Column("by", 0),
        Column("family", 1),
    )
    return [
        (Paragraph(((names, Tone.TITLE),)),),
        (Table(columns, tuple(rows)),),
        *gaps(found.gaps),
    ]


def _ports(one: Opening | Change) -> str:
    only = f" from source port {one.source_ports} only" if one.source_ports else ""
    return f"{one.ports}/{one.protocol}{only}"
