"""The answer to ``portward explain``."""

from msgspec import Struct

ITEM = "- "
"""What a line starts with that is an item of a list."""


class Section(Struct, frozen=True):
    """A heading and what stands under it: paragraphs, and items of lists (ITEM)."""

    heading: str
    lines: tuple[str, ...]


class Explanation(Struct, frozen=True, kw_only=True):
    """What is known about a port, a service, a role, a check or a finding."""

    topic: str
    """What was asked, in its full name: "137/udp", "service telnet", "check open-not-allowed"."""
    summary: str
    sections: tuple[Section, ...]
