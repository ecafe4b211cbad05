"""The screen of ``portward reach PORT``."""

from portward.model.net import Family
from portward.model.reaching import Answer, Deciding, Entrance, PortReach
from portward.model.words import printable
from portward.report.screen import (
    Block,
    Column,
    Heading,
    Listing,
    Paragraph,
    Row,
    Screen,
    Spans,
    Table,
    Tone,
)

FAMILIES = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}
TONES = {Answer.YES: Tone.EXPOSED, Answer.NO: Tone.ALLOWED, Answer.PERHAPS: Tone.UNKNOWN}
_MOST_RULES = 4
_COLUMNS = (
    Column("who", 0, toned=True, good=30),
    Column("by", 0, good=20),
    Column("", 0, good=30),
)


def reach(answer: PortReach) -> Screen:
    """Show who gets through, and by which rules."""
    port = f"{answer.port}/{answer.protocol}"
    said = {
        Answer.YES: f"{port} can be reached.",
        Answer.NO: f"Nobody can reach {port} from outside.",
        Answer.PERHAPS: f"{port} can perhaps be reached.",
    }[answer.answer]
    tone = TONES[answer.answer]
    screen: Screen = [(Heading(tone, ((said, tone),)), *listening(answer.listens))]
    rows = _rows(answer.sources)
    if rows:
        screen.append((Table(_COLUMNS, rows),))
    return [*screen, *deciders(answer.decided_by, answer.answer), *gaps(answer.gaps)]


def listening(listens: tuple[str, ...] | None) -> tuple[Block, ...]:
    """Say whether anything listens there; nothing where it is not known."""
    if listens is None:
        return ()
    text = f"Listens on {', '.join(map(printable, listens))}." if listens else _NOTHING_LISTENS
    return (Paragraph(((text, Tone.QUIET),)),)


_NOTHING_LISTENS = "Nothing listens on it now."


def _rows(sources: tuple[Entrance, ...]) -> tuple[Row, ...]:
    """Join what differs in interface and family alone."""
    joined: dict[tuple[Answer, str, str], dict[str, dict[str, None]]] = {}
    for one in sources:
        notes = [f"to {', '.join(one.to)}"] if one.to else []
        notes += [f"from source port {one.source_ports} only"] if one.source_ports else []
        notes += [f"ends at {', '.join(one.delivered)}"] if one.delivered else []
        notes += [f"perhaps: it hangs on {', '.join(one.doubts)}"] if one.doubts else []
        families = joined.setdefault((one.answer, one.words, "; ".join(notes)), {})
        families.setdefault(one.interface, {})[FAMILIES[one.family]] = None
    rows = []
    for (answer, words, notes_text), interfaces in joined.items():
        by: dict[str, list[str]] = {}
        for interface, families_of in interfaces.items():
            by.setdefault(" and ".join(families_of), []).append(interface)
        places = "; ".join(f"{', '.join(names)} ({family})" for family, names in by.items())
        cells = (printable(words), printable(places), printable(notes_text))
        rows.append(Row(TONES[answer], cells))
    return tuple(rows)


def deciders(rules: tuple[Deciding, ...], answer: Answer) -> Screen:
    """Show which rules decide, the most important first."""
    if not rules:
        text = "No rule stops it." if answer == Answer.YES else "The routing decision refuses it."
        return [] if answer == Answer.PERHAPS else [(Paragraph(((text, Tone.PLAIN),)),)]
    # The same wish of a person is a rule in each family.
    wishes = list(dict.fromkeys((str(one.verdict), one.words) for one in rules))
    items: list[Spans] = [
        ((f"{verdict}: ", Tone.QUIET), (printable(words), Tone.PLAIN))
        for verdict, words in wishes[:_MOST_RULES]
    ]
    more = len(wishes) - _MOST_RULES
    if more > 0:
        items.append(((f"{more} more (--format json lists all)", Tone.QUIET),))
    return [(Paragraph((("What decides:", Tone.TITLE),)), Listing(tuple(items), indent=2))]


def gaps(sentences: tuple[str, ...]) -> Screen:
    """Say what is not known."""
    if not sentences:
        return []
    items: tuple[Spans, ...] = tuple(((printable(one), Tone.PLAIN),) for one in sentences)
    return [(Paragraph((("Not everything is known:", Tone.UNKNOWN),)), Listing(items, indent=2))]
