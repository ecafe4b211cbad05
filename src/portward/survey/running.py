"""Which of the system's services run now, without asking systemd."""

from pathlib import Path

from portward.model.unknown import Maybe, Unknown
from portward.survey import files

_EXPORTED = "/run/systemd/units"
_RUNS = "invocation:"
"""systemd keeps a link of this name for each service from its start to its end, for the journal
(unit_export_state_files() in src/core/unit.c)."""


def running(root: Path = Path("/")) -> Maybe[tuple[str, ...]]:
    """Name the services that are active, those that have done their work and stay so included."""
    if not files.exists(root, _EXPORTED):
        return Unknown("systemd does not run here")
    names = (name.removeprefix(_RUNS) for name in files.names(root, _EXPORTED) if _RUNS in name)
    return tuple(name for name in names if name.endswith(".service"))
