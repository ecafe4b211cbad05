"""Open a database of sqlite that another program owns, without writing beside it."""

from pathlib import Path
from sqlite3 import Connection, Error
from sqlite3 import connect as _connect

__all__ = ["Connection", "Error", "connect"]


def connect(file: Path) -> Connection:
    """Open an absolute path for reading; raise OSError where it cannot be, or Error."""
    with file.open("rb"):
        pass  # an OSError here says more than sqlite's would
    # "immutable" keeps sqlite from writing beside the database. It hides what still stands
    # in the log only, so it must be given up while there is a log.
    log = Path(f"{file}-wal")
    busy = log.exists() and log.stat().st_size > 0
    mode = "mode=ro" if busy else "mode=ro&immutable=1"
    return _connect(f"{file.as_uri()}?{mode}", uri=True)
