"""The screen of ``portward status``: every open port, the most exposed first."""

from portward.model.case import Case
from portward.model.status import Scope, Verdict
from portward.model.unknown import Unknown
from portward.model.words import printable, where
from portward.report.screen import (
    Block,
    Column,
    Listing,
    Paragraph,
    Row,
    Screen,
    Spans,
    Table,
    Tone,
)
from portward.report.screen.head import gaps, head, plural
from portward.report.screen.ports import SCOPES, OpenPort, open_ports, reach_words

COLUMNS = (
    Column("port", rank=0, toned=True, good=20, least=20),
    Column("service", rank=2),
    Column("program", rank=0),
    Column("open to", rank=0, toned=True, good=12),
    Column("policy", rank=1, toned=True),
    Column("inside", rank=3),
    Column("unit", rank=4),
    Column("package", rank=6),
    Column("address", rank=5),
    Column("pid", rank=7),
)
_NAMED = 6
_SCOPE_WORDS = {
    Scope.EVERYONE: "to everyone",
    Scope.UNKNOWN: "unknown to whom",
    Scope.NETWORKS: "to some networks",
    Scope.HOST: "to this host only",
    Scope.NOBODY: "to nobody",
}


def status(case: Case) -> Screen:
    """Show what is open, to whom, and whether it may be."""
    listeners = case.snapshot.listeners
    if isinstance(listeners, Unknown):
        reason = printable(listeners.reason)
        count: Block = Paragraph(((f"The open ports are unknown: {reason}.", Tone.UNKNOWN),))
        return _screen((*head(case), count), gaps(case))
    rows = open_ports(case)
    top = (*head(case), Paragraph(((_count(rows), Tone.PLAIN),)))
    table = (Table(COLUMNS, tuple(map(_row, rows))),) if rows else ()
    return _screen(top, _headlines(rows), table, _unknown_reach(case), gaps(case), _next(rows))


def _screen(*groups: tuple[Block, ...]) -> Screen:
    return [group for group in groups if group]


def _count(rows: list[OpenPort]) -> str:
    total = sum(row.size for row in rows)
    if not total:
        return "No port is open."
    by_scope = {scope: sum(row.size for row in rows if row.scope == scope) for scope in SCOPES}
    parts = [f"{count} {_SCOPE_WORDS[scope]}" for scope, count in by_scope.items() if count]
    return f"{plural(total, 'port')} open: {', '.join(parts)}."


def _headlines(rows: list[OpenPort]) -> tuple[Block, ...]:
    """Say in one line each what a person must know in two seconds."""
    exposed = [row for row in rows if row.tone == Tone.EXPOSED]
    partly = [row for row in rows if row.tone == Tone.PARTLY]
    unclear = [row for row in rows if row.tone == Tone.UNKNOWN]
    unreached = [row for row in unclear if row.verdict == Verdict.NOT_ALLOWED]
    unjudged = [row for row in unclear if row.verdict == Verdict.UNKNOWN]
    lines: list[Block] = []
    if exposed:
        lines.append(_headline(exposed, "open to everyone and not allowed", Tone.EXPOSED))
    if partly:
        lines.append(_headline(partly, "open to some networks and not allowed", Tone.PARTLY))
    if unreached:
        lines.append(_headline(unreached, "not allowed, reach unknown", Tone.UNKNOWN))
    if unjudged:
        lines.append(_headline(unjudged, "not judged", Tone.UNKNOWN))
    if not lines and rows:
        good = "Nothing is open to others that the role does not allow."
        lines.append(Paragraph(((good, Tone.ALLOWED),)))
    return tuple(lines)


def _headline(rows: list[OpenPort], words: str, tone: Tone) -> Block:
    total = sum(row.size for row in rows)
    named = [f"{row.ports} {row.service}".removesuffix(" -") for row in rows[:_NAMED]]
    if len(rows) > _NAMED:
        named.append(f"{len(rows) - _NAMED} more")
    return Paragraph(
        ((f"{plural(total, 'port')} {words}:", tone), (" " + ", ".join(named), Tone.PLAIN))
    )


def _row(row: OpenPort) -> Row:
    return Row(
        row.tone,
        (
            row.ports,
            row.service,
            row.program,
            row.reach,
            str(row.verdict),
            row.place,
            row.unit,
            row.package,
            row.addresses,
            row.pid,
        ),
    )


def _unknown_reach(case: Case) -> tuple[Block, ...]:
    """Say why it is unknown who can reach a port, where the cell had no room for it."""
    reasons: dict[str, list[str]] = {}
    for exposure in case.exposures:
        reach = exposure.reach
        if reach.scope == Scope.UNKNOWN and reach.reason not in reach_words(reach, ""):
            reasons.setdefault(reach.reason, []).append(where(exposure.listener))
    items: list[Spans] = [
        ((f"{printable(reason)} ({plural(len(places), 'listener')})", Tone.PLAIN),)
        for reason, places in reasons.items()
    ]
    if not items:
        return ()
    title = Paragraph((("Why it is unknown who can reach them:", Tone.UNKNOWN),))
    return title, Listing(tuple(items), indent=2)


def _next(rows: list[OpenPort]) -> tuple[Block, ...]:
    if not any(row.verdict != Verdict.LOCAL for row in rows):
        return ()
    command = ("portward audit", Tone.COMMAND)
    return (Paragraph((command, (" says what is wrong and how to mend it.", Tone.QUIET))),)
