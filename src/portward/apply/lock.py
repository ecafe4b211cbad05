"""One change of the machine at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portward.apply.journal import PRIVATE
from portward.model.errors import ApplyError

_NAME = "lock"
_SECRET = 0o600
_POLL_SECONDS = 0.05
FOREVER = float("inf")


@contextmanager
def held(state_dir: Path, *, seconds: float = 0) -> Iterator[None]:
    """Hold the lock; its end, or the end of the process, frees it.

    Raises:
        ApplyError: another process holds it for longer than so many seconds.

    """
    try:
        state_dir.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(state_dir / _NAME, flags, _SECRET)
    except PermissionError:
        raise ApplyError("only root may change the machine", mend="run it with sudo") from None
    except OSError as error:
        raise ApplyError(f"cannot be used: {error.strerror}", where=str(state_dir)) from None
    try:
        if not _taken(descriptor, time.monotonic() + seconds):
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            raise ApplyError(
                f"another portward (process {holder}) is changing the machine",
                mend="wait for it, and see portward history",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int, end: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True
