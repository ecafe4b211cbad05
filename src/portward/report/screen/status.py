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
    Span,
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
    rows = open_ports(case)
    groups: Screen = [
        (*head(case), Paragraph(((_count(case, rows), Tone.PLAIN),))),
        _headlines(rows),
        (Table(COLUMNS, tuple(map(_row, rows))),) if rows else (),
        _unknown_reach(case),
        gaps(case),
        _next(rows),
    ]
    return [group for group in groups if group]


def count(case: Case) -> str:
    """Say how many ports are open, and to whom."""
    return _count(case, open_ports(case))


def verdict(case: Case) -> Span:
    """Say the worst in one sentence."""
    if isinstance(case.snapshot.listeners, Unknown):
        return "The open ports could not be listed.", Tone.UNKNOWN
    headlines = _headlines(open_ports(case))
    if not headlines:
        return "No port is open.", Tone.ALLOWED
    spans = headlines[0].spans
    return "".join(text for text, _ in spans), spans[0][1]


def _count(case: Case, rows: list[OpenPort]) -> str:
    if isinstance(case.snapshot.listeners, Unknown):
        return f"The open ports are unknown: {printable(case.snapshot.listeners.reason)}."
    total = sum(row.size for row in rows)
    if not total:
        return "No port is open."
    by_scope = {scope: sum(row.size for row in rows if row.scope == scope) for scope in SCOPES}
    parts = [f"{count} {_SCOPE_WORDS[scope]}" for scope, count in by_scope.items() if count]
    return f"{plural(total, 'port')} open: {', '.join(parts)}."


_HEADLINES = (
    (Tone.EXPOSED, Verdict.NOT_ALLOWED, "open to everyone and not allowed"),
    (Tone.PARTLY, Verdict.NOT_ALLOWED, "open to some networks and not allowed"),
    (Tone.UNKNOWN, Verdict.NOT_ALLOWED, "not allowed, reach unknown"),
    (Tone.UNKNOWN, Verdict.UNKNOWN, "not judged"),
)
_ALL_WELL = "Nothing is open to others that the policy does not allow."


def _headlines(rows: list[OpenPort]) -> tuple[Paragraph, ...]:
    """Say in one line each what a person must know in two seconds."""
    lines = []
    for tone, verdict, words in _HEADLINES:
        named = [row for row in rows if (row.tone, row.verdict) == (tone, verdict)]
        if named:
            lines.append(_headline(named, words, tone))
    if not lines and rows:
        lines.append(Paragraph(((_ALL_WELL, Tone.ALLOWED),)))
    return tuple(lines)


def _headline(rows: list[OpenPort], words: str, tone: Tone) -> Paragraph:
    total = sum(row.size for row in rows)
    named = [f"{row.ports} {row.service}".removesuffix(" -") for row in rows[:_NAMED]]
    if rest := sum(row.size for row in rows[_NAMED:]):
        named.append(f"{rest} more")
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
        if reach.scope == Scope.UNKNOWN and reach.reason not in reach_words(reach):
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
