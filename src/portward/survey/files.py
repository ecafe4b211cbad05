"""Read the files of a machine that may be this one or an image below a directory.

In an image an absolute symbolic link means a path of the image, so no path is handed to the
kernel before its links are followed here. Whatever fails is an OSError.
"""

import errno
import os
import stat
from pathlib import Path

MAX_BYTES = 1 << 20
"""Far above any configuration file; a larger one is refused, not cut."""

_MAX_LINKS = 40
"""As the kernel: MAXSYMLINKS in include/linux/namei.h."""


def resolve(root: Path, path: str) -> Path:
    """Follow every symbolic link of path as the image below root means it.

    A part that does not exist stays as it is, so the result can be a file that is not there.
    Raise OSError (ELOOP) for links that never end.
    """
    base = os.fspath(root).rstrip("/")
    todo = path.split("/")[::-1]
    done: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            del done[-1:]
            continue
        done.append(part)
        try:
            target = os.readlink(f"{base}/{'/'.join(done)}")  # noqa: PTH115 - hot: no Path objects
        except OSError:
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        done = [] if target.startswith("/") else done[:-1]
        todo += target.split("/")[::-1]
    return Path(f"{base}/{'/'.join(done)}")


def read_bytes(root: Path, path: str, limit: int = MAX_BYTES) -> bytes:
    """Read a regular file; raise OSError for all else, also (EFBIG) for more than limit bytes."""
    # O_NONBLOCK: opening a FIFO or a device that pretends to be a file must not wait.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    descriptor = os.open(resolve(root, path), flags)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - opens a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", path)
        parts = []
        left = limit + 1
        while left > 0 and (part := file.read(left)):
            parts.append(part)
            left -= len(part)
    if left <= 0:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
    return b"".join(parts)


def read_text(root: Path, path: str, limit: int = MAX_BYTES) -> str:
    """Read a text file; bytes that are no UTF-8 become lone surrogates, as in file names."""
    return read_bytes(root, path, limit).decode(errors="surrogateescape")


def names(root: Path, path: str) -> list[str]:
    """List a directory, sorted by bytes; one that is not there is empty.

    Raise OSError where it is there and cannot be read.
    """
    try:
        found = os.listdir(resolve(root, path))  # noqa: PTH208 - names are wanted, not paths
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, key=os.fsencode)


def exists(root: Path, path: str) -> bool:
    """Say whether there is anything at path once its links are followed."""
    return resolve(root, path).exists()
