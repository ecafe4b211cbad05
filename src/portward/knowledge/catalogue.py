"""Find the files of the catalogue and read them, or the cached value of them.

Files under /etc/portward add to the package's own or take the place of one with the same name.
They decide what is allowed, so they are believed only where nobody but root (or the caller)
could have written them. The decoded catalogue is cached, since reading TOML is slow.
"""

# ruff: noqa: PTH116 - hundreds of calls in every start, and pathlib takes twice as long
import os
import stat
from pathlib import Path

from msgspec import Struct

from portward import __version__, cache
from portward.model.errors import KnowledgeError, PortwardError
from portward.model.service import Catalogue

ADMINISTRATOR = Path("/etc/portward")
KINDS = ("services", "roles", "ports")
MAX_BYTES = 1 << 20
"""The longest file that is read; the package's own are a few kilobytes."""

_PACKAGE = Path(__file__).parent


class _File(Struct, frozen=True, array_like=True):
    """A file of the catalogue, with what changes when it does."""

    path: str
    size: int
    modified: int


class _Kept(Struct, frozen=True, array_like=True):
    """The catalogue as the cache holds it, with the files that it was read from."""

    files: tuple[_File, ...]
    catalogue: Catalogue


def load(extra: Path = ADMINISTRATOR) -> Catalogue:
    """Return the catalogue with the administrator's files from extra.

    Raise KnowledgeError with file, line and key where a file is wrong or not to be trusted.
    """
    files = tuple(_package_files() + _administrator_files(extra))
    kept = cache.load("catalogue", __version__, _Kept)
    if kept is not None and kept.files == files:
        return kept.catalogue
    from portward.knowledge.files import read  # noqa: PLC0415 - tomllib, only without a cache

    catalogue = read((file.path, _text(file.path)) for file in files)
    cache.save("catalogue", __version__, _Kept(files, catalogue))
    return catalogue


def _package_files() -> list[_File]:
    return [file for kind in KINDS for file, _ in _list(_PACKAGE / kind)]


def _administrator_files(extra: Path) -> list[_File]:
    """List the administrator's files; raise KnowledgeError for one that others may write."""
    files = []
    for kind in KINDS[:2]:
        folder = extra / kind
        found = _list(folder)
        for path, facts in [(folder, _stat(str(folder)))] if found else []:
            refuse_foreign(str(path), facts)
        for file, facts in found:
            refuse_foreign(file.path, facts)
            files.append(file)
    return files


def _list(folder: Path) -> list[tuple[_File, os.stat_result]]:
    """Return the TOML files of a folder by name; none where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entry.path for entry in entries if entry.name.endswith(".toml"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as wrong:
        raise KnowledgeError(f"cannot be read: {wrong.strerror}", where=str(folder)) from None
    files = [(path, _stat(path)) for path in found]
    return [(_File(path, facts.st_size, facts.st_mtime_ns), facts) for path, facts in files]


def _stat(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as wrong:
        raise KnowledgeError(f"cannot be read: {wrong.strerror}", where=path) from None


def refuse_foreign(
    path: str, facts: os.stat_result, error: type[PortwardError] = KnowledgeError
) -> None:
    """Raise an error where anyone but root and the caller could have written a file."""
    if facts.st_uid not in {0, os.geteuid()}:
        raise error(
            "is owned by another user, so it is not believed", where=path, mend="chown it to root"
        )
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise error(
            "may be written by others than its owner, so it is not believed",
            where=path,
            mend="chmod go-w",
        )


def _text(path: str) -> str:
    """Read a file of the catalogue; refuse what is no regular, short UTF-8 file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - opens a descriptor, not a path
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_BYTES:
                raise KnowledgeError("is no regular file of at most 1 MiB", where=path)
            return file.read(MAX_BYTES).decode()
    except OSError as wrong:
        raise KnowledgeError(f"cannot be read: {wrong.strerror}", where=path) from None
    except UnicodeDecodeError as wrong:
        raise KnowledgeError(f"is not UTF-8 (byte {wrong.start})", where=path) from None
