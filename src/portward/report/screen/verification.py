"""The screen of ``portward verify``."""

from collections.abc import Iterator

from portward.model.reaching import Answer
from portward.model.verification import SEVERITIES, Outcome, Verification, Verified, View
from portward.model.words import printable
from portward.report.screen import (
    Block,
    Column,
    Heading,
    Listing,
    Paragraph,
    Row,
    Screen,
    Table,
    Tone,
)

TONES = {
    Outcome.EXPOSED: Tone.ALLOWED,
    Outcome.CLOSED: Tone.LOCAL,
    Outcome.UNTOLD: Tone.UNKNOWN,
    **{outcome: Tone(severity) for outcome, severity in SEVERITIES.items()},
}
_COLUMNS = (
    Column("Port", 0),
    Column("Of", 0, least=9),
    Column("From", 0, good=24, least=9),
    Column("Outcome", 0, toned=True, good=31, least=16),
    Column("Seen", 2),
    Column("Rules", 3),
    Column("Service", 1),
    Column("Program", 4),
)
_MEANING = "If the firewall is right, every attempt that must fail fails."
_RULES = {Answer.YES: "let it in", Answer.NO: "keep it out", Answer.PERHAPS: "perhaps"}


def verification(found: Verification) -> Screen:
    """Say whether inside and outside agree, then port by port where they do not."""
    words, tone = verdict(found)
    screen: Screen = [
        (
            Paragraph(((printable(found.hostname) or "this machine", Tone.TITLE),)),
            Heading(tone, ((words, Tone.TITLE),)),
            Paragraph(((_MEANING, Tone.QUIET),), indent=2),
        ),
        tuple(Paragraph(((line, Tone.PLAIN),), indent=2) for line in map(_view, found.views)),
    ]
    if found.ports:
        screen.append((Table(_COLUMNS, tuple(_rows(found))),))
    findings = tuple(_explained(found))
    if findings:
        screen.append(findings)
    if found.notes:
        items = tuple(((printable(one), Tone.QUIET),) for one in found.notes)
        screen.append(
            (
                Paragraph((("What this proves, and what not:", Tone.QUIET),)),
                Listing(items, indent=2),
            )
        )
    if found.gaps:
        items = tuple(((printable(one), Tone.PLAIN),) for one in found.gaps)
        title = Paragraph((("Not everything could be told:", Tone.UNKNOWN),))
        screen.append((title, Listing(items, indent=2)))
    return screen


def verdict(found: Verification) -> tuple[str, Tone]:
    """Return the sentence that matters, and how it looks."""
    must_fail = sum(view.must_fail for view in found.views)
    failed = sum(view.failed for view in found.views)
    through = sum(view.got_through for view in found.views)
    must_succeed = sum(view.must_succeed for view in found.views)
    succeeded = sum(view.succeeded for view in found.views)
    untold = sum(view.untold for view in found.views)
    parts = []
    if through:
        parts.append(f"{through:,} of {must_fail:,} attempts that must fail got through")
    else:
        all_ = "All" if failed == must_fail else f"{failed:,} of"
        parts.append(f"{all_} {must_fail:,} attempts that must fail failed")
    if must_succeed:
        all_ = "all" if succeeded == must_succeed else f"{succeeded:,} of"
        parts.append(f"{all_} {must_succeed:,} that must succeed succeeded")
    if untold:
        parts.append(f"{untold:,} {'is' if untold == 1 else 'are'} not told")
    if found.findings:
        worst = min(found.findings, key=lambda one: SEVERITIES[one.outcome].rank)
        tone = TONES[worst.outcome]
    else:
        tone = Tone.UNKNOWN if untold or found.gaps else Tone.ALLOWED
    return f"{'; '.join(parts)}.", tone


def _view(view: View) -> str:
    source = view.source or "an unknown address"
    source += f" ({view.stands_for})" if view.stands_for else ""
    by = f" by {view.interface}" if view.interface else ""
    asked = ", ".join(f"{ports}/{protocol}" for protocol, ports in view.asked.items())
    counts = f"{view.failed:,} of {view.must_fail:,} failed as they must"
    if view.must_succeed:
        counts += f", {view.succeeded:,} of {view.must_succeed:,} succeeded"
    return printable(f"From {source}{by} to {view.address}, {asked or 'what it lists'}: {counts}.")


def _rows(found: Verification) -> Iterator[Row]:
    """Join what is the same for several sources into one row."""
    names = {view.source: view.stands_for for view in found.views if view.stands_for}
    alike: dict[tuple[object, ...], list[Verified]] = {}
    for one in found.ports:
        key = (one.outcome, one.protocol, one.port, one.address, one.seen, one.reach, one.service)
        alike.setdefault(key, []).append(one)
    several = len({view.address for view in found.views}) > 1
    for members in alike.values():
        one = members[0]
        sources = ", ".join(names.get(each.source) or each.source or "unknown" for each in members)
        yield Row(
            TONES[one.outcome],
            (
                f"{one.port}/{one.protocol}",
                one.address if several else "",
                printable(sources),
                str(one.outcome),
                " or ".join(one.seen) or "not asked",
                _RULES[one.reach],
                printable(_service(one)),
                printable(one.program),
            ),
        )


def _service(one: Verified) -> str:
    if one.answers and one.service and one.answers != one.service:
        return f"{one.service}, answers as {one.answers}"
    return one.service or one.answers


def _explained(found: Verification) -> Iterator[Block]:
    """Say once of each kind of finding what it means, with the rules that decide."""
    for outcome in dict.fromkeys(one.outcome for one in (*found.findings, *_untold(found))):
        members = [one for one in found.ports if one.outcome == outcome]
        ports = ", ".join(dict.fromkeys(f"{one.port}/{one.protocol}" for one in members))
        yield Heading(
            TONES[outcome], ((f"{outcome}: ", Tone.TITLE), (printable(ports), Tone.PLAIN))
        )
        for why in dict.fromkeys(one.why for one in members):
            yield Paragraph(((printable(why), Tone.PLAIN),), indent=2)
        rules = dict.fromkeys(
            printable(f"{rule.verdict}: {rule.words}") for one in members for rule in one.decided_by
        )
        if rules:
            items = tuple(((rule, Tone.QUIET),) for rule in list(rules)[:5])
            yield Listing(items, indent=2)


def _untold(found: Verification) -> tuple[Verified, ...]:
    return tuple(one for one in found.ports if one.outcome == Outcome.UNTOLD)
