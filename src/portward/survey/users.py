"""Names of users, as the machine below a root knows them."""

from pathlib import Path

from portward.survey import files

HERE = Path("/")


class User:
    """One line of passwd(5) that matters here."""

    __slots__ = ("home", "name", "uid")

    def __init__(self, name: str, uid: int, home: str) -> None:
        """Keep the three fields."""
        self.name = name
        self.uid = uid
        self.home = home


def parse(text: str) -> tuple[User, ...]:
    """Read passwd(5); lines that are none are left out, as the C library does."""
    found = []
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) >= 7 and fields[0] and fields[2].isascii() and fields[2].isdigit():  # noqa: PLR2004 - passwd(5) has seven fields
            found.append(User(fields[0], int(fields[2]), fields[5]))
    return tuple(found)


class Users:
    """Looks names up by uid: in /etc/passwd, and for the running machine in NSS as well."""

    def __init__(self, root: Path = HERE) -> None:
        """Read root's /etc/passwd; without it there are only numbers."""
        try:
            self.all = parse(files.read_text(root, "/etc/passwd"))
        except OSError:
            self.all = ()
        self._running = root == HERE
        self._names: dict[int, str | None] = {}
        self._elsewhere: dict[tuple[int, int], Users] = {}
        for user in self.all:
            self._names.setdefault(user.uid, user.name)

    def elsewhere(self, pid: int) -> "Users":
        """Return the users as the file tree knows them that a process lives in (a container)."""
        place = Path(f"/proc/{pid}/root")
        try:
            facts = place.stat()
        except OSError:
            return Users(place)
        key = (facts.st_dev, facts.st_ino)
        if key not in self._elsewhere:
            self._elsewhere[key] = Users(place)
        return self._elsewhere[key]

    def name(self, uid: int) -> str | None:
        """Return the name of a uid; None where it has none (a container's user, say)."""
        if uid not in self._names:
            self._names[uid] = _ask_nss(uid) if self._running else None
        return self._names[uid]


def _ask_nss(uid: int) -> str | None:
    import pwd  # noqa: PLC0415 - only machines with users outside /etc/passwd pay for it

    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return None
