"""From a screen to lines of a given width."""

import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from itertools import groupby, zip_longest

from portward.report.screen import (
    Block,
    Column,
    Commands,
    Fields,
    Heading,
    Listing,
    Paragraph,
    Screen,
    Span,
    Spans,
    Table,
    Tone,
)

GAP = 2
"""Cells between two columns of a table, or between label and text."""

ASCII_MARKS = {
    Tone.EXPOSED: "!",
    Tone.PARTLY: "!",
    Tone.UNKNOWN: "?",
    Tone.ALLOWED: "+",
    Tone.LOCAL: "-",
    Tone.CRITICAL: "!",
    Tone.HIGH: "!",
    Tone.MEDIUM: "!",
    Tone.LOW: "!",
    Tone.INFO: "-",
    Tone.QUIET: "-",
}
UNICODE_MARKS = ASCII_MARKS | {
    Tone.EXPOSED: "●",
    Tone.PARTLY: "◐",
    Tone.ALLOWED: "✓",
    Tone.LOCAL: "·",
    Tone.CRITICAL: "●",
    Tone.HIGH: "●",
    Tone.MEDIUM: "●",
    Tone.LOW: "●",
    Tone.INFO: "·",
    Tone.QUIET: "·",
}

_NARROWEST = 20


def lines(screen: Screen, width: int, marks: dict[Tone, str]) -> Iterator[list[Span]]:
    """Yield the lines of a screen; no line but a command to copy is wider than width."""
    width = max(width, _NARROWEST)
    for number, group in enumerate(screen):
        if number:
            yield []
        for block in group:
            yield from _block(block, width, marks)


def cells(text: str) -> int:
    """Count the cells that a terminal gives to a text: East Asian wide characters take two."""
    if text.isascii():
        return len(text)
    return sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _block(block: Block, width: int, marks: dict[Tone, str]) -> Iterator[list[Span]]:
    match block:
        case Heading(tone, spans):
            mark = f"{marks[tone]} " if tone in marks else ""
            yield from _hang(mark, tone, spans, width)
        case Paragraph(spans, indent):
            yield from _hang(" " * indent, Tone.PLAIN, spans, width)
        case Listing(items, indent):
            bullet = " " * indent + f"{marks[Tone.QUIET]} "
            for item in items:
                yield from _hang(bullet, Tone.QUIET, item, width)
        case Fields(pairs, indent, column):
            for label, spans in pairs:
                yield from _hang(f"{'':{indent}}{label:{column}}", Tone.QUIET, spans, width)
        case Commands(texts, indent):
            for text in texts:
                yield [(" " * indent, Tone.PLAIN), (text, Tone.COMMAND)]
        case Table():
            yield from _table(block, width, marks)


def _hang(prefix: str, tone: Tone, spans: Spans, width: int) -> Iterator[list[Span]]:
    """Wrap spans behind a prefix, later lines as far to the right as the first."""
    for line in wrap(spans, max(width - len(prefix), _NARROWEST // 2)):
        yield [(prefix, tone), *line]
        prefix = " " * len(prefix)


def wrap(spans: Spans, width: int) -> list[list[Span]]:
    """Break spans into lines at spaces; a word wider than a line is cut."""
    if sum(cells(text) for text, _ in spans) <= width:
        return [list(spans)]
    result: list[list[Span]] = [[]]
    room = width
    for text, tone in spans:
        # A command stays in one piece where a line can hold it.
        words = [text] if tone == Tone.COMMAND else text.split(" ")
        for index, word in enumerate(words):
            space = index > 0 and room < width
            if cells(word) + space > room and room < width:
                result.append([])
                room = width
            elif space:
                result[-1].append((" ", tone))
                room -= 1
            rest = word
            while cells(rest) > room:
                head = _cut(rest, room)
                result[-1].append((head, tone))
                result.append([])
                rest = rest[len(head) :]
                room = width
            if rest:
                result[-1].append((rest, tone))
                room -= cells(rest)
    return [_joined(line) for line in result if line]


def _joined(line: list[Span]) -> list[Span]:
    """Join neighbours of the same tone."""
    return [
        ("".join(text for text, _ in group), tone)
        for tone, group in groupby(line, key=lambda span: span[1])
    ]


def _cut(text: str, width: int) -> str:
    """Return the longest beginning of text that fits into width cells, at least a character."""
    used = 0
    for index, character in enumerate(text):
        used += _cells_of(character)
        if used > width:
            return text[: max(index, 1)]
    return text


def _table(table: Table, width: int, marks: dict[Tone, str]) -> Iterator[list[Span]]:
    titles = tuple(column.title for column in table.columns)
    # Most tables are plain ASCII, where counting and padding are free.
    ascii_only = all("".join(row.cells).isascii() for row in table.rows)
    measure: Callable[[str], int] = len if ascii_only else cells
    pad: Callable[[str, int], str] = str.ljust if ascii_only else _pad
    natural = [
        max(map(measure, texts))
        for texts in zip(titles, *(row.cells for row in table.rows), strict=True)
    ]
    shown = fit(table, natural, width - GAP)
    narrowed = any(wide < natural[index] for index, wide in shown)

    yield _line(("", Tone.PLAIN), titles, (Tone.QUIET,) * len(titles), shown, pad)
    for row in table.rows:
        mark = (marks.get(row.tone, ""), row.tone)
        tones = _tones(row.tone, table.columns)
        if not narrowed:
            yield _line(mark, row.cells, tones, shown, pad)
            continue
        wrapped = [
            ["".join(text for text, _ in line) for line in wrap(((cell, Tone.PLAIN),), wide)]
            for cell, wide in ((row.cells[index], wide) for index, wide in shown)
        ]
        own_tones = tuple(tones[index] for index, _ in shown)
        own = [(place, wide) for place, (_, wide) in enumerate(shown)]
        for texts in zip_longest(*wrapped, fillvalue=""):
            yield _line(mark, texts, own_tones, own, pad)
            mark = ("", row.tone)


@cache
def _tones(tone: Tone, columns: tuple[Column, ...]) -> tuple[Tone, ...]:
    """Choose the tones of the cells of a row."""
    if tone == Tone.LOCAL:
        return (Tone.QUIET,) * len(columns)
    return tuple(tone if column.toned else Tone.PLAIN for column in columns)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def _line(
    mark: Span,
    texts: tuple[str, ...],
    tones: tuple[Tone, ...],
    shown: list[tuple[int, int]],
    pad: Callable[[str, int], str],
) -> list[Span]:
    """Pad the shown cells of one line; the last is not padded."""
    line = [(mark[0].ljust(GAP), mark[1])]
    line += [(pad(texts[index], wide + GAP), tones[index]) for index, wide in shown[:-1]]
    last = shown[-1][0]
    line.append((texts[last], tones[last]))
    return line


def fit(table: Table, natural: list[int], width: int) -> list[tuple[int, int]]:
    """Choose the columns to show in width cells, and how wide each is.

    Natural are the widths at which nothing is wrapped. Columns fall away by rank while the rest
    would have to be wrapped below their good width; those of rank 0 stay, down to their least
    width.
    """
    columns = table.columns
    shown = [index for index in range(len(columns)) if any(row.cells[index] for row in table.rows)]
    shown = shown or list(range(len(columns)))
    good = [min(natural[index], columns[index].good) for index in range(len(columns))]

    def room(widths: list[int]) -> int:
        return width - sum(widths[index] + GAP for index in shown) + GAP

    while room(good) < 0:
        lowest = max(shown, key=lambda index: columns[index].rank)
        if columns[lowest].rank == 0:
            break
        shown.remove(lowest)
    widths = list(good)
    least = [min(natural[index], columns[index].least) for index in range(len(columns))]
    _adjust(
        widths,
        [index for index in shown if widths[index] > least[index]],
        least,
        min(room(widths), 0),
    )
    _adjust(widths, shown, natural, max(room(widths), 0))
    return [(index, widths[index]) for index in shown]


def _adjust(widths: list[int], among: list[int], limits: list[int], room: int) -> None:
    """Take what is missing from the widest columns, or give what is left to the narrowest."""
    step, choose = (-1, max) if room < 0 else (1, min)
    while room and (open_ := [index for index in among if widths[index] != limits[index]]):
        widths[choose(open_, key=widths.__getitem__)] += step
        room -= step
