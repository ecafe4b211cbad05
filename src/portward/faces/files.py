"""Writes the files that a person asked for: whole or not at all, with their final mode."""

import os
from pathlib import Path

from portward.model.errors import UsageError


def write_new(file: Path, data: bytes, *, mode: int, replace: bool) -> None:
    """Write a file that appears complete or not at all; an existing one only to replace it.

    Raises:
        UsageError: the file exists and replace is false, or cannot be written.

    """
    draft = file.with_name(f".{file.name}.{os.urandom(8).hex()}")
    try:
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(draft, flags, mode), "wb") as stream:  # noqa: PTH123 - a descriptor
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if replace:
            draft.replace(file)
        else:
            file.hardlink_to(draft)
    except FileExistsError:
        raise UsageError(
            "exists already", where=str(file), mend="replace it with --force"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(file)) from None
    finally:
        draft.unlink(missing_ok=True)
