"""The live value of a kernel setting."""

from pathlib import Path

from msgspec import Struct

from portward.model.errors import ApplyError
from portward.model.plan import SetSysctl

_PLACE = Path("/proc/sys")


class Saved(Struct, frozen=True, kw_only=True, tag="sysctl", tag_field="of"):
    """The value that it had."""

    value: str


def place(key: str) -> Path:
    """Return the file of a key: dots part it, a "/" stands for a dot of a name (sysctl.d(5))."""
    return _PLACE.joinpath(*(part.replace("/", ".") for part in key.split(".")))


def save(step: SetSysctl) -> Saved:
    """Read the value."""
    return Saved(value=_read(step.key))


def do(step: SetSysctl, _saved: Saved) -> None:
    """Write the value."""
    place(step.key).write_text(f"{step.value}\n", encoding="ascii")


def undo(step: SetSysctl, saved: Saved) -> None:
    """Write what it was; an interface that has gone since needs nothing."""
    file = place(step.key)
    if file.exists() and _read(step.key) != saved.value:
        file.write_text(f"{saved.value}\n", encoding="ascii")


def holds(step: SetSysctl) -> str | None:
    """Read it back."""
    found = _read(step.key)
    return None if found == step.value else f"{step.key} is {found}, not {step.value}"


def _read(key: str) -> str:
    try:
        return " ".join(place(key).read_text(encoding="ascii").split())
    except OSError as error:
        raise ApplyError(f"cannot be read: {error.strerror}", where=key) from None
