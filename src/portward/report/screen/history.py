"""The screens of ``portward apply``, ``confirm``, ``rollback`` and ``history``."""

from portward.model.applied import Applied, History, State
from portward.model.words import printable
from portward.report.screen import (
    Block,
    Fields,
    Heading,
    Listing,
    Paragraph,
    Screen,
    Spans,
    Tone,
)
from portward.report.screen.head import plural

_TONES = {
    State.APPLYING: Tone.CRITICAL,
    State.WAITING: Tone.PARTLY,
    State.CONFIRMED: Tone.ALLOWED,
    State.ROLLING_BACK: Tone.CRITICAL,
    State.ROLLED_BACK: Tone.QUIET,
}
_MOST_EFFECTS = 12


def history(found: History) -> Screen:
    """Show every apply, the newest first."""
    if not found.applied:
        return [(Paragraph((("Nothing was ever applied.", Tone.PLAIN),)),)]
    return [group for one in found.applied for group in _entry(one)]


def applied(one: Applied) -> Screen:
    """Show what became of one apply, and what to do next."""
    return [*_entry(one), *_next(one)]


def _entry(one: Applied) -> Screen:
    tone = _TONES[one.state]
    heading: Spans = (
        (f"Apply {one.number}: ", Tone.TITLE),
        (str(one.state), tone),
        (f" ({one.reason})" if one.reason else "", Tone.PLAIN),
    )
    who = one.who.user or f"uid {one.who.uid}"
    came = f" from {one.who.source}" if one.who.source else ""
    pairs: list[tuple[str, Spans]] = [
        ("when", ((f"{one.began:%Y-%m-%d %H:%M:%S} UTC", Tone.PLAIN),)),
        ("who", ((printable(who + came), Tone.PLAIN),)),
        ("why", ((printable(one.policy), Tone.PLAIN),)),
    ]
    for index, title in enumerate(one.changes):
        pairs.append(("" if index else "did", ((printable(title), Tone.PLAIN),)))
    lines = dict.fromkeys(
        f"{effect.port}/{effect.protocol}: {effect.before} -> {effect.after}"
        for effect in one.effects
    )
    for index, line in enumerate(list(lines)[:_MOST_EFFECTS]):
        pairs.append(("" if index else "world", ((printable(line), Tone.PLAIN),)))
    if (more := len(lines) - _MOST_EFFECTS) > 0:
        pairs.append(("", ((f"{plural(more, 'more port')}: --format json", Tone.QUIET),)))
    blocks: list[Block] = [Heading(tone, heading), Fields(tuple(pairs))]
    if one.faults:
        items: tuple[Spans, ...] = tuple(((printable(fault), Tone.PLAIN),) for fault in one.faults)
        blocks.append(Paragraph((("Could not be taken back:", Tone.CRITICAL),), indent=2))
        blocks.append(Listing(items, indent=4))
    return [tuple(blocks)]


def _next(one: Applied) -> Screen:
    if one.state == State.WAITING:
        text = f"It is taken back in {one.seconds_left or 0:.0f} s unless you confirm it:"
        return [(Paragraph(((f"{text} ", Tone.PARTLY), ("portward confirm", Tone.COMMAND))),)]
    if one.state == State.CONFIRMED:
        return [
            (Paragraph((("To take it back: ", Tone.PLAIN), ("portward rollback", Tone.COMMAND))),)
        ]
    return []
