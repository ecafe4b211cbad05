"""The JSON document of ``portward explain``."""

from typing import Annotated, Literal

from msgspec import Struct

from portward.model.explanation import ITEM, Explanation
from portward.report.views import says


class LineView(Struct, frozen=True, kw_only=True):
    """A paragraph, or an item of a list."""

    text: Annotated[str, says("The text.")]
    item: Annotated[bool, says("It is an item of a list.")]


class SectionView(Struct, frozen=True, kw_only=True):
    """A heading and what stands under it."""

    heading: Annotated[str, says("The heading.")]
    lines: Annotated[tuple[LineView, ...], says("What stands under it, in order.")]


class ExplanationView(Struct, frozen=True, kw_only=True):
    """What is known of a port, a service, a role, a check or a finding."""

    schema: Annotated[Literal["portward-explanation/1"], says("Name and version of this document.")]
    topic: Annotated[str, says('What was asked, in full: "137/udp", "service telnet".')]
    summary: Annotated[str, says("The answer in a sentence.")]
    sections: Annotated[tuple[SectionView, ...], says("What else is known.")]


def view(explanation: Explanation) -> ExplanationView:
    """Write what is known."""
    return ExplanationView(
        schema="portward-explanation/1",
        topic=explanation.topic,
        summary=explanation.summary,
        sections=tuple(
            SectionView(
                heading=section.heading,
                lines=tuple(
                    LineView(text=line.removeprefix(ITEM), item=line.startswith(ITEM))
                    for line in section.lines
                ),
            )
            for section in explanation.sections
        ),
    )
