"""What a person sees, as data: blocks of text with tones instead of colours.

One module writes each document as a screen; ``layout`` breaks a screen into lines of a width;
the formats ``terminal`` and ``plain`` only paint those lines.
"""

from enum import StrEnum
from typing import NamedTuple, TypeAlias


class Tone(StrEnum):
    """What a piece of text means; a format chooses how that looks."""

    PLAIN = "plain"
    TITLE = "title"
    QUIET = "quiet"
    COMMAND = "command"
    EXPOSED = "exposed"
    """Open to everyone and not allowed."""
    PARTLY = "partly"
    """Open to some networks and not allowed."""
    ALLOWED = "allowed"
    LOCAL = "local"
    UNKNOWN = "unknown"
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


Span: TypeAlias = tuple[str, Tone]
"""A piece of text of one tone, free of control characters."""
Spans: TypeAlias = tuple[Span, ...]


class Heading(NamedTuple):
    """A line that begins something; marked with the symbol of its tone."""

    tone: Tone
    spans: Spans


class Paragraph(NamedTuple):
    """Text that is wrapped at spaces."""

    spans: Spans
    indent: int = 0


class Fields(NamedTuple):
    """Pairs of a label and a text, the texts aligned with each other."""

    pairs: tuple[tuple[str, Spans], ...]
    indent: int = 2
    column: int = 7
    """Cells for the longest label and the gap after it."""


class Listing(NamedTuple):
    """Items, each with a bullet."""

    items: tuple[Spans, ...]
    indent: int = 0


class Commands(NamedTuple):
    """Lines to copy: never wrapped, and nothing but spaces before them."""

    lines: tuple[str, ...]
    indent: int = 9


class Column(NamedTuple):
    """A column of a table."""

    title: str
    rank: int
    """0: always shown; else columns of a higher rank fall away first where it is narrow."""
    toned: bool = False
    """Its cells have the tone of their row."""
    good: int = 16
    """The width in cells up to which wrapping it would be a pity."""
    least: int = 8
    """The width in cells below which it cannot be read."""


class Row(NamedTuple):
    """A line of a table; marked with the symbol of its tone."""

    tone: Tone
    cells: tuple[str, ...]


class Table(NamedTuple):
    """Rows under column titles; a column without any text is left out."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


Block: TypeAlias = Heading | Paragraph | Fields | Listing | Commands | Table
Screen: TypeAlias = list[tuple[Block, ...]]
"""Groups of blocks; an empty line stands between groups."""
