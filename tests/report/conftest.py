"""Golden files: what a report must look like, to the letter.

``PORTWARD_GOLDEN=write`` writes them anew; then read the difference before it is committed.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "golden"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    def compare(name: str, text: str) -> None:
        file = HERE / name
        if os.environ.get("PORTWARD_GOLDEN") == "write":
            file.write_text(text, "utf-8")
        assert text == file.read_text("utf-8")

    return compare
