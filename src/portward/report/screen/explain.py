"""The screen of ``portward explain``."""

from portward.model.explanation import ITEM, Explanation, Section
from portward.model.words import printable
from portward.report.screen import Block, Heading, Listing, Paragraph, Screen, Spans, Tone


def explain(explanation: Explanation) -> Screen:
    """Show what is known."""
    top: tuple[Block, ...] = (
        Heading(Tone.TITLE, ((printable(explanation.topic), Tone.TITLE),)),
        Paragraph(((printable(explanation.summary), Tone.PLAIN),)),
    )
    return [top, *map(_section, explanation.sections)]


def _section(section: Section) -> tuple[Block, ...]:
    blocks: list[Block] = [Heading(Tone.TITLE, ((printable(section.heading), Tone.TITLE),))]
    for line in section.lines:
        text: Spans = ((printable(line.removeprefix(ITEM)), Tone.PLAIN),)
        blocks.append(
            Listing((text,), indent=2) if line.startswith(ITEM) else Paragraph(text, indent=2)
        )
    return tuple(blocks)
