"""The packages that portward needs, as files, for guests that reach no package index."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from guest.machine import STORE

REPOSITORY = Path(__file__).parents[2]


def wheels() -> Path:
    """Return a folder with everything that requirements.txt names, fetched once per lock file."""
    lock = REPOSITORY / "requirements.txt"
    place = STORE / f"wheels-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not place.exists():
        draft = place.with_suffix(".draft")
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
        subprocess.run([*download, "--requirement", lock, "--dest", draft], check=True)
        draft.rename(place)
    return place


def copy_tree(target: Path) -> None:
    """Copy what git knows of this tree: what a fresh clone would hold, with open edits."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
