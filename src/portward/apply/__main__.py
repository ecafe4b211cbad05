"""Starts the guard, or the recovery at boot: python -I .../apply/__main__.py watch|recover ...

A file rather than ``python -c``: systemd 252 writes ";" of a transient unit's command in a way
that it reads differently after a daemon-reload, so code in the command would not start again.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # -I leaves out the place of portward

from portward.apply import guard

if __name__ == "__main__":
    if sys.argv[1] == "watch":
        guard.watch(*sys.argv[2:])
    else:
        guard.recover(*sys.argv[2:])
