"""The screen of ``portward plan``: what changes for the world, and how."""

from portward.model.plan import Change, Cut, Effect, LoadTable, Plan, Risk, WayIn
from portward.model.words import printable
from portward.plan.words import commands, proofs, undos
from portward.report.screen import (
    Block,
    Column,
    Commands,
    Fields,
    Heading,
    Listing,
    Paragraph,
    Row,
    Screen,
    Spans,
    Table,
    Tone,
)
from portward.report.screen.head import plural, policy_words

_MOST_RULES = 60
"""Lines of the firewall that are shown; --format nft has all."""
_MOST_COMMANDS = 8
_EVERYONE = ("everyone", "nearly everyone")


def plan(made: Plan) -> Screen:
    """Show what changes for the world, then how, then what is left alone."""
    head = (
        Paragraph(((printable(made.hostname), Tone.TITLE),)),
        Paragraph(policy_words(made.policy)),
    )
    if not made.changes:
        nothing = Heading(Tone.ALLOWED, (("Nothing to change.", Tone.ALLOWED),))
        return [head, (nothing,), *_refused(made), *_left(made.notes)]
    return [
        head,
        *_world(made.effects),
        *_cuts(made.cuts),
        *_ways(made.way_in),
        (Paragraph(((f"{plural(len(made.changes), 'change')}:", Tone.TITLE),)),),
        *(_change(number, one) for number, one in enumerate(made.changes, 1)),
        *_rules(made),
        *_left(made.notes),
        *_refused(made),
    ]


def _world(effects: tuple[Effect, ...]) -> Screen:
    if not effects:
        return [(Paragraph((("Nobody gains or loses a port.", Tone.PLAIN),)),)]
    # The sockets of both families, or of several addresses, are one line.
    lines = dict.fromkeys(
        (
            f"{one.port}/{one.protocol}",
            one.service or "",
            one.program,
            one.before,
            f"{one.after} ({one.by})",
            one.before in _EVERYONE,
        )
        for one in effects
    )
    rows = tuple(
        Row(Tone.EXPOSED if wide else Tone.PARTLY, tuple(map(printable, cells)))
        for *cells, wide in lines
    )
    columns = (
        Column("port", 0),
        Column("service", 1),
        Column("program", 2),
        Column("now", 0, toned=True, good=24),
        Column("afterwards", 0, good=24),
    )
    title = Paragraph((("What changes for the world:", Tone.TITLE),))
    return [(title, Table(columns, rows))]


def _cuts(cuts: tuple[Cut, ...] | None) -> Screen:
    if cuts is None:
        text = "Who is connected now, and would be cut off, is not known."
        return [(Paragraph(((text, Tone.UNKNOWN),)),)]
    if not cuts:
        return []
    items: tuple[Spans, ...] = tuple(((_cut(one), Tone.PLAIN),) for one in cuts)
    title = Paragraph((("Connected now, and cut off:", Tone.PARTLY),))
    return [(title, Listing(items, indent=2))]


def _cut(one: Cut) -> str:
    who = f"{one.peer} on {one.port}/{one.protocol}, {one.program}"
    return printable(f"{who} ({plural(one.connections, 'connection')})")


def _ways(ways: tuple[WayIn, ...]) -> Screen:
    if not ways:
        text = "This session did not come by SSH. Name who must come in with --admin-from."
        return [(Paragraph(((text, Tone.QUIET),)),)]
    return [
        tuple(
            Heading(
                Tone.ALLOWED if one.answer == "yes" else Tone.CRITICAL,
                (
                    (
                        f"Your way in, from {printable(one.source)} to {one.port}/tcp"
                        + (f" by {printable(one.interface)}" if one.interface else "")
                        + (", stays open." if one.answer == "yes" else ", does not surely stay."),
                        Tone.PLAIN,
                    ),
                ),
            )
            for one in ways
        )
    ]


def _change(number: int, change: Change) -> tuple[Block, ...]:
    pairs: list[tuple[str, Spans]] = [("why", ((printable(change.why), Tone.PLAIN),))]
    if change.risk != Risk.NONE:
        pairs.append(("mind", ((str(change.risk), Tone.PARTLY),)))
    typed = [printable(line) for step in change.steps for line in commands(step)]
    title = ((f"{number}. ", Tone.QUIET), (printable(change.title), Tone.TITLE))
    if (more := len(typed) - _MOST_COMMANDS) > 0:
        typed[_MOST_COMMANDS:] = [f"# and {more} more: --format json lists all"]
    return (
        Heading(Tone.PLAIN, title),
        Fields(tuple(pairs)),
        Commands(tuple(typed)),
        Fields(
            (
                ("then", ((printable("; ".join(proofs(change))), Tone.QUIET),)),
                ("undo", ((printable("; ".join(undos(change))), Tone.QUIET),)),
            )
        ),
    )


def rules(made: Plan) -> str:
    """Return the text of the firewall that the plan loads; "" where it loads none."""
    steps = (step for change in made.changes for step in change.steps)
    return next((step.rules for step in steps if isinstance(step, LoadTable)), "")


def _rules(made: Plan) -> Screen:
    lines = [printable(line.expandtabs(4)) for line in rules(made).splitlines()]
    if not lines:
        return []
    shown = tuple(lines[:_MOST_RULES])
    blocks: list[Block] = [
        Paragraph((("The firewall:", Tone.TITLE),)),
        Commands(shown, indent=2),
    ]
    if more := len(lines) - len(shown):
        text = f"{plural(more, 'more line')}: portward plan --format nft"
        blocks.append(Paragraph(((text, Tone.QUIET),), indent=2))
    return [tuple(blocks)]


def _left(notes: tuple[str, ...]) -> Screen:
    if not notes:
        return []
    items: tuple[Spans, ...] = tuple(((printable(one), Tone.PLAIN),) for one in notes)
    return [(Paragraph((("Worth knowing:", Tone.TITLE),)), Listing(items, indent=2))]


def _to_apply(made: Plan) -> str:
    """Write the command that applies the same plan."""
    policy = made.policy
    words = ["portward apply", *(f"--{option}" for option in made.options)]
    if policy.source:
        words.append(f"--policy {printable(policy.source)}")
    else:
        words += [f"--role {role.name}" for role in policy.roles]
    return " ".join(words)


def _refused(made: Plan) -> Screen:
    if not made.refusals:
        if not made.changes:
            return []
        return [(Paragraph((("To do it: ", Tone.PLAIN), (_to_apply(made), Tone.COMMAND))),)]
    items: tuple[Spans, ...] = tuple(
        ((printable(one.what), Tone.PLAIN), (f"; {printable(one.mend)}", Tone.QUIET))
        for one in made.refusals
    )
    title = Heading(Tone.CRITICAL, (("This plan cannot be applied:", Tone.CRITICAL),))
    return [(title, Listing(items, indent=2))]
