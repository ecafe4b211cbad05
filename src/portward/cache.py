"""A small cache on disk for what is slow to build and easy to verify.

Only files that nobody but their owner could have written are believed: root reads what root
wrote. Everything here may fail silently, since a cache is never the only source.
"""

import contextlib
import os
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")

MAX_BYTES = 64 << 20


def directory() -> Path | None:
    """Say where this user's cache lives; None where there is no home for one."""
    if os.geteuid() == 0:
        return Path("/var/cache/portward")
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("HOME", "")
    if not home.startswith("/"):
        return None
    return Path(home, "portward" if "XDG_CACHE_HOME" in os.environ else ".cache/portward")


def load(name: str, key: str, kind: type[T]) -> T | None:
    """Return what save() kept under name if it was kept with the same key, else None."""
    place = directory()
    if place is None:
        return None
    try:
        descriptor = os.open(
            place / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except OSError:
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - opens a descriptor, not a path
        facts = os.fstat(file.fileno())
        ours = facts.st_uid == os.geteuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not stat.S_ISREG(facts.st_mode) or not ours or facts.st_size > MAX_BYTES:
            return None
        wanted = key.encode()
        if file.readline(4096).rstrip(b"\n") != wanted:
            return None
        try:
            return msgspec.msgpack.decode(file.read(), type=kind)
        except msgspec.DecodeError:
            return None


def save(name: str, key: str, value: object) -> None:
    """Keep value under name; key is one line that changes whenever value would."""
    place = directory()
    if place is None:
        return
    draft = place / f".{name}.{os.getpid()}"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - opens a descriptor, not a path
            file.write(key.encode() + b"\n" + msgspec.msgpack.encode(value))
        draft.replace(place / name)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
