"""Files that are written whole or not at all, and are on the disk when the call returns."""

import os
import shutil
import stat
from pathlib import Path

from msgspec import Struct

from portward.model.errors import ApplyError

SECRET = 0o600


def write(path: Path, data: bytes, *, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Put data into the place of a file at once; it has its mode and owner before its name.

    Raises:
        OSError: it could not be written; the file is then as it was.

    """
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(draft, flags, SECRET), "wb") as stream:  # noqa: PTH123 - a descriptor
            stream.write(data)
            stream.flush()
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make sure that the names of a directory are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Saved(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file, link or directory as it was; all None: there was nothing."""

    path: str
    data: bytes | None = None
    link: str | None = None
    directory: bool = False
    mode: int = 0
    uid: int = 0
    gid: int = 0
    times: tuple[int, int] | None = None
    """Access and modification, in nanoseconds."""
    attributes: dict[str, bytes] = {}
    """Extended attributes, such as ACLs and labels."""

    @property
    def was_there(self) -> bool:
        """Say whether there was anything."""
        return self.data is not None or self.link is not None or self.directory


def save(path: Path) -> Saved:
    """Read everything that is needed to put a file back; ApplyError for devices and the like."""
    try:
        facts = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return Saved(path=str(path))
    kind = facts.st_mode
    if stat.S_ISLNK(kind):
        return Saved(path=str(path), link=str(path.readlink()), uid=facts.st_uid, gid=facts.st_gid)
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise ApplyError("is no regular file", where=str(path))
    return Saved(
        path=str(path),
        data=path.read_bytes() if stat.S_ISREG(kind) else None,
        directory=stat.S_ISDIR(kind),
        mode=stat.S_IMODE(kind),
        uid=facts.st_uid,
        gid=facts.st_gid,
        times=(facts.st_atime_ns, facts.st_mtime_ns),
        attributes={name: os.getxattr(path, name) for name in os.listxattr(path)},
    )


def save_tree(path: Path) -> tuple[Saved, ...]:
    """Read a file, or a directory with all that is in it."""
    first = save(path)
    return (first, *map(save, sorted(path.rglob("*")))) if first.directory else (first,)


def restore(saved: Saved) -> None:
    """Put a file back as it was, or take away what was not there."""
    path = Path(saved.path)
    if not saved.was_there:
        remove(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if saved.link is not None:
        draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
        draft.symlink_to(saved.link)
        os.chown(draft, saved.uid, saved.gid, follow_symlinks=False)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        draft.replace(path)
        sync_directory(path.parent)
        return
    if saved.directory:
        if path.is_symlink() or path.is_file():
            path.unlink()
        path.mkdir(exist_ok=True)
        os.chown(path, saved.uid, saved.gid)
        path.chmod(saved.mode)
    else:
        assert saved.data is not None  # noqa: S101 - what was there is one of the three
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        write(path, saved.data, mode=saved.mode, owner=(saved.uid, saved.gid))
    for name, value in saved.attributes.items():
        os.setxattr(path, name, value)
    if saved.times is not None:
        os.utime(path, ns=saved.times)


def restore_tree(saved: tuple[Saved, ...]) -> None:
    """Put a tree back as it was: what has come since goes, what has gone comes."""
    top = Path(saved[0].path)
    known = {one.path for one in saved}
    if top.is_dir() and not top.is_symlink():
        for path in sorted(top.rglob("*"), reverse=True):
            if str(path) not in known:
                remove(path)
    for one in saved:
        restore(one)
    for one in reversed(saved):  # what was written into a directory has changed its times
        if one.directory and one.times is not None:
            os.utime(one.path, ns=one.times)


def remove(path: Path) -> None:
    """Take away whatever is at path; nothing there is as good."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if path.parent.is_dir():
        sync_directory(path.parent)
