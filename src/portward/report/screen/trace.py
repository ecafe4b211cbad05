"""The screen of ``portward reach PORT --from ADDRESS``: a packet's way, rule by rule."""

from itertools import groupby

from portward.model.reaching import Answer, Hop, PacketReach
from portward.model.words import printable
from portward.report.screen import Block, Heading, Paragraph, Screen, Span, Tone
from portward.report.screen.reach import TONES, deciders, gaps, listening

_SAYS = {
    Answer.YES: "Yes: {source} can reach {port}.",
    Answer.NO: "No: {source} cannot reach {port} ({verdict}).",
    Answer.PERHAPS: "Perhaps: whether {source} can reach {port} hangs on {doubts}.",
}

_WITH_VERDICT = "-A "
"""A rule in the words of iptables, which name its target."""


def trace(answer: PacketReach) -> Screen:
    """Show the answer, and the chains and rules that the packet meets."""
    tone = TONES[answer.answer]
    said = _SAYS[answer.answer].format(
        source=answer.source,
        port=f"{answer.port}/{answer.protocol}",
        verdict=answer.verdict,
        doubts=", ".join(answer.doubts) or "what no rule tells",
    )
    way = f"To {answer.destination}, by {answer.interface}, source port {answer.source_port}."
    if answer.delivered:
        way += f" It ends at {', '.join(answer.delivered)}."
    head: tuple[Block, ...] = (
        Heading(tone, ((printable(said), tone),)),
        Paragraph(((printable(way), Tone.QUIET),)),
        *listening(answer.listens),
    )
    stages = [
        tuple(_stage(hook, list(hops)))
        for hook, hops in groupby(answer.path, key=lambda hop: hop.hook)
    ]
    return [head, *stages, *deciders(answer.decided_by, answer.answer), *gaps(answer.gaps)]


def _stage(hook: str, hops: list[Hop]) -> list[Block]:
    """Show what happens at one hook."""
    blocks: list[Block] = [Paragraph(((hook, Tone.TITLE),))]
    chain = None
    for hop in hops:
        here = (hop.family, hop.table, hop.chain)
        if hop.hook != "routing" and here != chain:
            name = printable(" ".join(here))
            blocks.append(Paragraph(((name, Tone.QUIET),), indent=2 + 2 * hop.depth))
        chain = here
        blocks.append(Paragraph(tuple(_hop(hop)), indent=4 + 2 * hop.depth))
    return blocks


def _hop(hop: Hop) -> list[Span]:
    if hop.hook == "routing":
        return [(printable(hop.verdict), Tone.PLAIN)]
    spans: list[Span] = []
    if hop.matched == Answer.PERHAPS:
        spans.append(("perhaps: ", Tone.UNKNOWN))
    spans.append(("policy" if hop.rule is None else printable(hop.rule), Tone.PLAIN))
    rule = hop.rule or ""
    if hop.verdict and not rule.endswith(hop.verdict) and not rule.startswith(_WITH_VERDICT):
        spans.append((f" -> {printable(hop.verdict)}", Tone.QUIET))
    if hop.handle is not None:
        spans.append((f"  # handle {hop.handle}", Tone.QUIET))
    return spans
