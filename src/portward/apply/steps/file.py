"""A file with a text, or none."""

from pathlib import Path

from msgspec import Struct

from portward.apply import disk
from portward.model.plan import WriteFile


class Saved(Struct, frozen=True, kw_only=True, tag="file", tag_field="of"):
    """The file as it was, and the folders that were not there."""

    file: disk.Saved
    missing: tuple[str, ...]
    """The deepest first."""


def save(step: WriteFile) -> Saved:
    """Read the file."""
    path = Path(step.path)
    missing = tuple(str(one) for one in path.parents if not one.exists())
    return Saved(file=disk.save(path), missing=missing)


def do(step: WriteFile, saved: Saved) -> None:
    """Write the file, with its former owner where it had one."""
    path = Path(step.path)
    if step.text is None:
        disk.remove(path)
        return
    for folder in reversed(saved.missing):
        Path(folder).mkdir(mode=0o755, exist_ok=True)
    was = saved.file
    owner = (was.uid, was.gid) if was.data is not None else None
    disk.write(path, step.text.encode(), mode=step.mode, owner=owner)


def undo(_step: WriteFile, saved: Saved) -> None:
    """Put the file back, and take away the folders that were made for it."""
    disk.restore(saved.file)
    for folder in saved.missing:
        path = Path(folder)
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
            disk.sync_directory(path.parent)


def holds(step: WriteFile) -> str | None:
    """Read the file back."""
    path = Path(step.path)
    if step.text is None:
        return f"{path} is still there" if path.exists() else None
    try:
        same = path.read_bytes() == step.text.encode()
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return None if same else f"{path} has another text"
