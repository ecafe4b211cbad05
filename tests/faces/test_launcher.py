"""The launcher where it cannot do its work; tests/guest starts it on a fresh machine."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
NOBODY = 65534


@pytest.fixture
def clone() -> Iterator[Path]:
    """Copy what the launcher needs to a folder of root's that everyone may read."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        for file in ("portward", "scripts/make-venv", "requirements.txt"):
            (place / file).parent.mkdir(exist_ok=True)
            shutil.copy(HOUSE / file, place / file)
        yield place


def start_as_nobody(clone: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "portward", "--version"],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin"},
        user=NOBODY,
        group=NOBODY,
        extra_groups=(),
    )


@pytest.mark.root
@pytest.mark.parametrize("outdated", [False, True])
def test_who_may_not_make_the_environment_is_told_who_may(clone: Path, *, outdated: bool) -> None:
    if outdated:
        (clone / ".venv").mkdir()
    result = start_as_nobody(clone)
    assert result.returncode == 2
    assert result.stderr.startswith(f"portward: {clone}/.venv cannot be written to")
    assert result.stderr.count("\n") == 1
