import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from portward.report import UNBOUNDED
from portward.report.screen import Column, Commands, Paragraph, Row, Screen, Table, Tone
from portward.report.screen import audit as audit_screen
from portward.report.screen import explain as explain_screen
from portward.report.screen import status as status_screen
from portward.report.screen.layout import ASCII_MARKS, UNICODE_MARKS, cells, fit, lines, wrap
from report import sample

words = st.text(st.sampled_from("ab- 写é/"), max_size=60)


@given(st.lists(st.tuples(words, st.sampled_from(Tone)), max_size=4), st.integers(2, 30))
def test_wrapping_loses_nothing_but_spaces_and_never_overflows(
    spans: list[tuple[str, Tone]], width: int
) -> None:
    broken = wrap(tuple(spans), width)
    texts = ["".join(text for text, _ in line) for line in broken]
    assert all(cells(text) <= width for text in texts)
    whole = "".join(text for text, _ in spans)
    assert "".join(texts).replace(" ", "") == whole.replace(" ", "")
    tones = [(char, tone) for line in broken for text, tone in line for char in text if char != " "]
    assert tones == [(char, tone) for text, tone in spans for char in text if char != " "]


def test_lines_break_at_spaces_and_at_the_last_cell() -> None:
    def broken(text: str, width: int) -> list[str]:
        return ["".join(part for part, _ in line) for line in wrap(((text, Tone.PLAIN),), width)]

    assert broken("who can reach it", 7) == ["who can", "reach", "it"]
    assert broken("abcdefgh ij", 4) == ["abcd", "efgh", "ij"]
    assert broken("写真写真", 5) == ["写真", "写真"]


def test_a_command_in_a_sentence_is_not_broken() -> None:
    spans = (("Write it down with ", Tone.QUIET), ("portward init", Tone.COMMAND))
    assert wrap(spans, 24) == [
        [("Write it down with ", Tone.QUIET)],
        [("portward init", Tone.COMMAND)],
    ]


@pytest.mark.parametrize(
    "text", ["", "plain", "données", "写真", "한국어", "e\u0301", "🔒", "\uff57\uff49\uff44\uff45"]
)
def test_width_agrees_with_the_terminal_library(text: str) -> None:
    assert cells(text) == cell_len(text)


@pytest.mark.parametrize("width", [40, 44, 60, 80, 100, 120, 200, UNBOUNDED])
def test_nothing_but_a_command_is_wider_than_the_terminal(width: int) -> None:
    for screen in (
        status_screen.status(sample.case()),
        audit_screen.audit(sample.audit()),
        explain_screen.explain(sample.explanation()),
    ):
        for line in lines(screen, width, ASCII_MARKS):
            text = "".join(part for part, _ in line)
            command = any(tone == Tone.COMMAND for _, tone in line) and text.startswith(" " * 9)
            assert cells(text) <= width or command


@pytest.mark.parametrize("width", [40, 60, 80, 120, UNBOUNDED])
def test_port_program_and_reach_are_shown_at_every_width(width: int) -> None:
    screen = status_screen.status(sample.case())
    shown = ["".join(part for part, _ in line) for line in lines(screen, width, ASCII_MARKS)]
    title = next(line for line in shown if "program" in line and "port" in line)
    assert "open to" in title
    assert any(line.startswith("! 23/tcp ") and "everyone" in line for line in shown)


def test_columns_fall_away_by_rank_and_come_back_with_room() -> None:
    columns = (Column("port", rank=0), Column("unit", rank=2), Column("pid", rank=1))
    table = Table(columns, (Row(Tone.PLAIN, ("80/tcp", "nginx.service", "1234")),))
    natural = [6, 13, 4]
    assert fit(table, natural, 30) == [(0, 6), (1, 13), (2, 4)]
    assert fit(table, natural, 20) == [(0, 6), (2, 4)]
    assert fit(table, natural, 8) == [(0, 6)]


def test_a_column_without_text_is_left_out() -> None:
    table = Table(
        (Column("port", rank=0), Column("inside", rank=1)), (Row(Tone.PLAIN, ("80/tcp", "")),)
    )
    assert fit(table, [6, 6], 80) == [(0, 6)]


def test_wide_characters_keep_the_columns_aligned() -> None:
    columns = (Column("inside", rank=0), Column("port", rank=0))
    rows = (Row(Tone.PLAIN, ("données-写真", "80/tcp")), Row(Tone.PLAIN, ("plain", "81/tcp")))
    starts = set()
    for line in lines([(Table(columns, rows),)], 60, UNICODE_MARKS):
        text = "".join(part for part, _ in line)
        starts.add(cells(text[: max(text.find("port"), text.find("8"))]))
    assert len(starts) == 1


def test_commands_stay_in_one_piece() -> None:
    command = "apt-get remove " + "name " * 40
    screen: Screen = [(Commands((command,)), Paragraph((("after", Tone.PLAIN),)))]
    assert list(lines(screen, 40, ASCII_MARKS)) == [
        [(" " * 9, Tone.PLAIN), (command, Tone.COMMAND)],
        [("", Tone.PLAIN), ("after", Tone.PLAIN)],
    ]


def test_ascii_marks_are_ascii_and_every_mark_is_one_cell() -> None:
    assert all(mark.isascii() for mark in ASCII_MARKS.values())
    for mark in UNICODE_MARKS.values():
        assert cells(mark) == 1
        assert unicodedata.category(mark) != "Cc"
