"""Read files as the machine below a root sees them, and never more than a limit.

In an image an absolute symbolic link means a path of the image, so links are followed here and
not by our own kernel. Devices, FIFOs and sockets are never waited for and never read. Whatever
fails is an OSError.
"""

# ruff: noqa: PTH110, PTH115, PTH208 - hundreds of calls on the way to the first screen
import errno
import os
import stat
from pathlib import Path

MAX_BYTES = 1 << 20
"""Far above any configuration file; a larger one is refused, not cut."""

_MAX_LINKS = 40
"""As many as the kernel follows (path_resolution(7))."""


def canonical(root: Path, path: str) -> str:
    """Follow every symbolic link of a path and return it as the machine below root names it.

    A part that does not exist stays as it is. Raise OSError (ELOOP) for links without an end.
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
            target = os.readlink(f"{base}/{'/'.join(done)}")
        except OSError:
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        done = [] if target.startswith("/") else done[:-1]
        todo += target.split("/")[::-1]
    return "/" + "/".join(done)


def locate(root: Path, path: str) -> str:
    """Say where a path of the machine below root lies in our own tree."""
    if root == Path("/"):
        return f"/{path.lstrip('/')}"
    return os.fspath(root) + canonical(root, path)


def resolve(root: Path, path: str) -> Path:
    """Say where a path of the machine below root lies in our own tree, every link followed."""
    return Path(os.fspath(root).rstrip("/") + canonical(root, path))


def read_bytes(root: Path, path: str, limit: int = MAX_BYTES) -> bytes:
    """Read a regular file; raise OSError for all else, also (EFBIG) for more than limit bytes."""
    # O_NONBLOCK: opening a FIFO or a device that pretends to be a file must not wait.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    descriptor = os.open(locate(root, path), flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", path)
        parts = []
        left = limit + 1
        while left > 0 and (part := os.read(descriptor, left)):
            parts.append(part)
            left -= len(part)
    finally:
        os.close(descriptor)
    if left <= 0:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
    return b"".join(parts)


def read_text(root: Path, path: str, limit: int = MAX_BYTES) -> str:
    r"""Read a text file; bytes that are no UTF-8 are written as ``\xff``."""
    return decoded(read_bytes(root, path, limit))


def decoded(raw: bytes) -> str:
    r"""Decode bytes from outside so that the result can always be saved and shown."""
    return raw.decode("utf-8", "backslashreplace")


def names(root: Path, path: str) -> list[str]:
    """List a directory in order; nothing where it is missing, OSError where it is closed to us.

    Names with bytes that are no UTF-8, or with control characters, are left out: nothing that
    the system itself reads is called so.
    """
    try:
        found = os.listdir(locate(root, path))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in found if name.isprintable())


def exists(root: Path, path: str) -> bool:
    """Say whether there is anything at path once its links are followed."""
    return os.path.exists(locate(root, path))
