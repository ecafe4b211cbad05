"""The screens of ``portward reach --matrix`` and ``portward reach --diff``."""

from collections.abc import Iterable, Iterator

from portward.model.net import Family
from portward.model.reaching import Answer, Change, Difference, Matrix, Opening
from portward.model.words import printable
from portward.reach.question import spans as joined_ports
from portward.report.screen import Column, Heading, Paragraph, Row, Screen, Table, Tone
from portward.report.screen.reach import FAMILIES, TONES, gaps

_CHANGES = {"opens": Tone.EXPOSED, "closes": Tone.ALLOWED, "perhaps": Tone.UNKNOWN}
_ALL = "0-65535"
_MOST_INTERFACES = 4
_MOST_DOUBTS = 4
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
    joined = _Joined()
    for one in found.classes:
        joined.add((one.words, "; ".join(_reached(reach[one.name]))), one.interfaces, one.family)
    columns = (Column("sources", 0, good=30), Column("by", 0, good=20), Column("reach", 0, good=40))
    rows = tuple(
        Row(Tone.PLAIN, tuple(map(printable, (words, by, ports))))
        for (words, ports), by in joined.rows()
    )
    notes = [Paragraph(((text, Tone.QUIET),)) for text in (*_doubts(found.reach), _WHICH)]
    return [(Table(columns, rows),), tuple(notes), *gaps(found.gaps)]


def _doubts(reach: Iterable[Opening]) -> Iterator[str]:
    """Say what the answers "perhaps" hang on."""
    doubts = list(dict.fromkeys(name for one in reach for name in one.doubts))
    if doubts:
        more = len(doubts) - _MOST_DOUBTS
        rest = f" and {more} more" if more > 0 else ""
        yield f"Perhaps: it hangs on {printable(', '.join(doubts[:_MOST_DOUBTS]))}{rest}."


class _Joined:
    """Rows that differ in interface and family alone are one."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], dict[str, dict[Family, None]]] = {}

    def add(self, cells: tuple[str, ...], interfaces: Iterable[str], family: Family) -> None:
        """Add a row for some interfaces."""
        known = self._found.setdefault(cells, {})
        for interface in interfaces:
            known.setdefault(interface, {})[family] = None

    def rows(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield each row with the interfaces: "eth0, eth1 (IPv4 and IPv6)"."""
        for cells, interfaces in self._found.items():
            by: dict[str, list[str]] = {}
            for interface, families in interfaces.items():
                by.setdefault(" and ".join(FAMILIES[one] for one in families), []).append(interface)
            yield cells, "; ".join(f"{_some(names)} ({family})" for family, names in by.items())


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
        spans = (span.partition("-") for text in ports for span in text.split(", "))
        text = joined_ports((int(first), int(last or first)) for first, _, last in spans)
        written.append(f"{_named(text, protocol)} {notes_text}".rstrip())
    return written


def _named(ports: str, protocol: str) -> str:
    return f"all/{protocol}" if ports == _ALL else f"{ports}/{protocol}"


def _some(interfaces: list[str]) -> str:
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
    joined = _Joined()
    for one in found.changes:
        what = one.what if one.what != "perhaps" else f"{one.before} -> {one.after}"
        joined.add((one.what, what, _changed(one), one.words), one.interfaces, one.family)
    columns = (
        Column("", 0, toned=True),
        Column("port", 0, good=20),
        Column("for", 0, good=30),
        Column("by", 0, good=20),
    )
    rows = tuple(
        Row(_CHANGES[kind], tuple(map(printable, (*cells, by))))
        for (kind, *cells), by in joined.rows()
    )
    return [
        (Paragraph(((names, Tone.TITLE),)),),
        (Table(columns, rows),),
        *gaps(found.gaps),
    ]


def _changed(one: Change) -> str:
    only = f" from source port {one.source_ports} only" if one.source_ports else ""
    return _named(one.ports, one.protocol) + only
