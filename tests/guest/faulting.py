"""Runs in a guest: applies a plan and kills the process that does it, at every moment in turn.

python -I faulting.py HOME PLAN STATE_DIR ids            print every moment of an undisturbed apply
python -I faulting.py HOME PLAN STATE_DIR at N [guard]   die at the N-th moment, with the guard too
python -I faulting.py HOME PLAN STATE_DIR state          print the state that a rollback restores
"""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

home, plan_file, state_dir, what, *rest = sys.argv[1:]
sys.path.insert(0, home)

from portward.apply import journal, run  # noqa: E402 - from the clone
from portward.model import plans  # noqa: E402
from portward.model.applied import Applied, State, Who  # noqa: E402
from portward.model.errors import PortwardError  # noqa: E402

PLAN = plans.decode(Path(plan_file).read_bytes(), plan_file)
PLACE = Path(state_dir)
WHO = Who(uid=0, user="root", source="")
OPEN = {State.APPLYING, State.WAITING, State.ROLLING_BACK}


def says(*command: str) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def state() -> str:
    """Return a digest of everything that a plan of this test changes."""
    facts = []
    for path in sorted(Path("/etc").rglob("*")):
        if path.is_symlink():
            facts.append(f"{path} -> {path.readlink()}")
        elif path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            facts.append(f"{path} {path.stat().st_mode:o} {digest}")
        else:
            facts.append(f"{path}/")
    units = says("systemctl", "list-units", "--all", "--no-legend", "--plain").splitlines()
    facts += sorted(
        f"{name} {active}"
        for name, _, active, *_ in map(str.split, units)
        if name.endswith((".service", ".socket")) and active == "active"
        if not re.match(
            r"ssh@|ssh\.service|portward-(guard|recover)|user@|systemd-|ufw\.service", name
        )
    )
    rules = says("nft", "--stateless", "list", "ruleset")
    facts.append(re.sub(r"packets \d+ bytes \d+", "", rules))
    return json.dumps(facts)


def newest() -> Applied | None:
    found = journal.journals(PLACE)
    return found[0].applied() if found else None


def settle() -> Applied | None:
    """Wait until the guard, and nobody else here, has taken back what was cut off."""
    end = time.monotonic() + 60
    while (
        (found := newest())
        and found.state in {State.APPLYING, State.ROLLING_BACK}
        and (PLACE / f"applies/{found.number}/guard-ready").exists()
        and time.monotonic() < end
    ):
        time.sleep(0.02)
    return newest()


def dying_at(number: int, *, guard: bool) -> None:
    """Apply in a child that kills itself at a moment."""
    child = os.fork()
    if not child:
        count = 0

        def checkpoint(_moment: str) -> None:
            nonlocal count
            if count == number:
                if guard:
                    subprocess.run(
                        ["systemctl", "kill", "--signal=KILL", "portward-guard-*"], check=False
                    )
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

        run.apply(
            PLAN,
            state_dir=PLACE,
            confirm_within=600,
            who=WHO,
            verify=lambda: None,
            checkpoint=checkpoint,
        )
        os._exit(0)
    os.waitpid(child, 0)


if what == "state":
    print(state())  # noqa: T201 - to whoever runs it
elif what == "ids":
    seen: list[str] = []
    run.apply(
        PLAN,
        state_dir=PLACE,
        confirm_within=600,
        who=WHO,
        verify=lambda: None,
        checkpoint=seen.append,
    )
    done = state()
    run.rollback(PLACE)
    print(json.dumps({"moments": seen, "new": done}))  # noqa: T201
elif what == "at":
    before = len(journal.journals(PLACE))
    dying_at(int(rest[0]), guard="guard" in rest)
    after = settle() if "stay" not in rest else newest()
    told, reached = "", state()
    if after is not None and len(journal.journals(PLACE)) > before and after.state in OPEN:
        # It waits, or it died before it had a guard: the next command says so.
        try:
            run.expect_none_open(PLACE)
        except PortwardError as refused:
            told = str(refused)
        if "stay" not in rest:
            run.rollback(PLACE)
    print(json.dumps({"told": told, "state": reached}))  # noqa: T201
