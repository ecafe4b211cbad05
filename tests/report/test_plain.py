import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from portward.report import UNBOUNDED, Look, plain
from report import sample

SOURCE = Path(__file__).parents[2] / "src"

WIDTHS = {"wide": UNBOUNDED, "80": 80, "44": 44}


@pytest.mark.parametrize("width", WIDTHS)
def test_status(golden: Callable[[str, str], None], width: str) -> None:
    golden(f"status.plain.{width}.txt", plain.status(sample.case(), Look(width=WIDTHS[width])))


@pytest.mark.parametrize("width", WIDTHS)
def test_audit(golden: Callable[[str, str], None], width: str) -> None:
    golden(f"audit.plain.{width}.txt", plain.audit(sample.audit(), Look(width=WIDTHS[width])))


def test_explain(golden: Callable[[str, str], None]) -> None:
    golden("explain.plain.txt", plain.explain(sample.explanation(), Look()))


def test_a_pipe_gets_no_control_characters() -> None:
    for text in (
        plain.status(sample.case(), Look()),
        plain.audit(sample.audit(), Look()),
        plain.explain(sample.explanation(), Look()),
    ):
        assert all(line.isprintable() for line in text.splitlines())


def test_a_pipe_gets_one_line_a_row() -> None:
    text = plain.status(sample.case(), Look(width=UNBOUNDED))
    assert len([line for line in text.splitlines() if line.startswith("! 5432/tcp")]) == 1
    assert "evil\\x1b]0;owned\\x07\\x1b[2J.service" in text


def test_a_pipe_does_not_pay_for_colour() -> None:
    script = (
        "import sys; from portward.report import plain, terminal;"
        "print([name for name in ('rich', 'jinja2', 'pkgutil', 'xml') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
