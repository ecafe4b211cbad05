import re
from collections.abc import Callable

import pytest
from rich.text import Text

from portward.report import Look, plain, terminal
from portward.report.screen import Tone
from report import sample

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def test_status(golden: Callable[[str, str], None]) -> None:
    look = Look(width=120, colour=True, unicode=True)
    golden("status.terminal.ansi", terminal.status(sample.case(), look))


def test_audit(golden: Callable[[str, str], None]) -> None:
    look = Look(width=80, colour=True, unicode=True)
    golden("audit.terminal.ansi", terminal.audit(sample.audit(), look))


def test_explain(golden: Callable[[str, str], None]) -> None:
    golden("explain.terminal.ansi", terminal.explain(sample.explanation(), Look(colour=True)))


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("unicode", [True, False])
def test_colour_changes_nothing_but_colour(width: int, *, unicode: bool) -> None:
    colour = Look(width=width, colour=True, unicode=unicode)
    without = Look(width=width, unicode=unicode)
    pairs = (
        (terminal.status(sample.case(), colour), plain.status(sample.case(), without)),
        (terminal.audit(sample.audit(), colour), plain.audit(sample.audit(), without)),
        (
            terminal.explain(sample.explanation(), colour),
            plain.explain(sample.explanation(), without),
        ),
    )
    for coloured, uncoloured in pairs:
        assert _STYLE.sub("", coloured) == uncoloured


def test_without_colour_it_is_plain() -> None:
    assert terminal.status(sample.case(), Look()) == plain.status(sample.case(), Look())
    assert terminal.audit(sample.audit(), Look()) == plain.audit(sample.audit(), Look())
    assert "\x1b" not in terminal.explain(sample.explanation(), Look())


def test_nothing_but_colour_reaches_the_terminal() -> None:
    text = terminal.status(sample.case(), Look(colour=True, unicode=True))
    assert all(line.isprintable() for line in _STYLE.sub("", text).splitlines())


def test_what_is_exposed_is_red_and_what_is_local_is_dim() -> None:
    lines = terminal.status(sample.case(), Look(width=120, colour=True)).splitlines()

    def styles(start: str) -> set[str]:
        line = next(one for one in map(Text.from_ansi, lines) if one.plain.startswith(start))
        return {str(span.style) for span in line.spans}

    assert "bold color(1)" in styles("! 23/tcp")
    assert styles("- 53/udp") == {"dim"}


def test_every_tone_has_a_style() -> None:
    assert set(terminal.STYLES) == set(Tone)
