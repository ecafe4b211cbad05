"""What stands at the top and the bottom of every screen about a machine."""

from portward.model.case import Case
from portward.model.policy import Policy
from portward.model.words import printable
from portward.report.screen import Block, Listing, Paragraph, Span, Spans, Tone


def head(case: Case) -> tuple[Block, ...]:
    """Name the machine and what it is judged by."""
    machine = case.snapshot.machine
    title: list[Span] = [(printable(machine.os_name), Tone.QUIET)]
    if machine.hostname:  # an image may have no name yet
        title = [
            (printable(machine.hostname), Tone.TITLE),
            (f"  {printable(machine.os_name)}", Tone.QUIET),
        ]
    if case.snapshot.sight.root != "/":
        title.append((f"  image {printable(case.snapshot.sight.root)}", Tone.QUIET))
    return Paragraph(tuple(title)), Paragraph(policy_words(case.policy))


def policy_words(policy: Policy) -> Spans:
    """Say which roles count, and where they come from."""
    names = ", ".join(printable(role.name) for role in policy.roles) or "none"
    roles: Span = (f"Role: {names}" if len(policy.roles) < 2 else f"Roles: {names}", Tone.PLAIN)  # noqa: PLR2004 - one or many
    if policy.recognised and not policy.roles:
        return (
            roles,
            (", for what runs shows none. Name what it is for with ", Tone.QUIET),
            ("portward init --role", Tone.COMMAND),
        )
    if policy.recognised:
        return (
            roles,
            (", recognised from what runs. Write it down with ", Tone.QUIET),
            ("portward init --guess", Tone.COMMAND),
        )
    if policy.source:
        return roles, (f", from {printable(policy.source)}", Tone.QUIET)
    return roles, (", given by name", Tone.QUIET)


def gaps(case: Case) -> tuple[Block, ...]:
    """Say what could not be seen, and how to see it; nothing where all was seen."""
    sight = case.snapshot.sight
    if not sight.gaps:
        return ()
    title: Span = ("Not everything could be seen:", Tone.UNKNOWN)
    items = tuple(((printable(gap), Tone.PLAIN),) for gap in dict.fromkeys(sight.gaps))
    blocks: tuple[Block, ...] = (Paragraph((title,)), Listing(items, indent=2))
    if sight.euid == 0:
        return blocks
    return *blocks, Paragraph((("Run it as root to see more.", Tone.PLAIN),), indent=2)


def plural(count: int, one: str, many: str = "") -> str:
    """Write "1 port" or "2 ports"."""
    return f"{count} {one if count == 1 else many or one + 's'}"
