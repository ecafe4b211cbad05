"""``portward apply``: do what a plan says, and take it back unless somebody confirms."""

import argparse
import sys
import time
from datetime import date
from pathlib import Path

from portward import flow
from portward.faces import options as shared
from portward.faces.commands import confirm
from portward.faces.exit_status import Exit
from portward.model.applied import Applied
from portward.model.errors import PlanError, UsageError
from portward.model.plan import Plan

DEFAULT_SECONDS = 60.0
_LEAST_SECONDS, _MOST_SECONDS = 5.0, 86_400.0


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "plan", nargs="?", type=Path, metavar="PLAN", help='what "portward plan --out" has saved'
    )
    shared.add_policy(parser)
    shared.add_planning(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask before it begins")
    parser.add_argument(
        "--confirm-within",
        type=float,
        default=DEFAULT_SECONDS,
        metavar="SECONDS",
        help="take it back unless it is confirmed by then (default: 60)",
    )
    shared.add_state_dir(parser)
    shared.add_format(parser)
    parser.epilog = (
        "exit status: 0 applied, or nothing to change; 1 failed or not confirmed, all taken back;"
        " 2 refused, nothing was changed"
    )


def run(arguments: argparse.Namespace) -> Exit:
    """Show the plan, do it, and ask whether it may stay."""
    if not _LEAST_SECONDS <= arguments.confirm_within <= _MOST_SECONDS:
        raise UsageError(
            f"--confirm-within {arguments.confirm_within:g}",
            mend=f"give it {_LEAST_SECONDS:g} to {_MOST_SECONDS:g} seconds",
        )
    today = date.today()  # noqa: DTZ011 - "until" in a policy means the administrator's own day
    made = _plan(arguments, today)
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    if not arguments.yes:
        shared.show(arguments, made)
    if made.refusals:
        refusal = made.refusals[0]
        raise PlanError(refusal.what, mend=refusal.mend)
    if not made.changes:
        if arguments.yes:
            shared.show(arguments, made)
        return Exit.NOTHING_WRONG
    if not arguments.yes:
        if not asks:
            raise UsageError("nobody is there to be asked", mend="add --yes")
        if not _agreed("Do it?"):
            return Exit.FINDINGS
    applied = flow.apply(
        made,
        state_dir=arguments.state_dir,
        confirm_within=arguments.confirm_within,
        day=today,
    )
    shared.show(arguments, applied)
    return _ask(arguments, applied) if asks and not arguments.yes else Exit.NOTHING_WRONG


def _plan(arguments: argparse.Namespace, today: date) -> Plan:
    """Make the plan, or read one and see that the machine is still as it was then."""
    ways = flow.way_in(tuple(arguments.admin_from))
    if arguments.plan is None:
        return flow.plan(
            shared.case(arguments, flow.survey()),
            ways,
            remove=arguments.remove,
            through=arguments.through,
        )
    old = flow.read_plan(arguments.plan)
    new = flow.plan_again(old, ways, today)
    if new.changes != old.changes:
        raise PlanError(
            f"the machine has changed since: {_difference(old, new)}",
            where=str(arguments.plan),
            mend="make the plan again",
        )
    return new


def _difference(old: Plan, new: Plan) -> str:
    before = {change.subject: change for change in old.changes}
    after = {change.subject: change for change in new.changes}
    found = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return ", ".join(found) or "the order of the changes"


def _agreed(question: str) -> bool:
    sys.stdout.write(f"\n{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _ask(arguments: argparse.Namespace, applied: Applied) -> Exit:
    """Count down, and keep it when the person says so."""
    from select import select  # noqa: PLC0415 - only a person at a terminal is asked

    end = time.monotonic() + (applied.seconds_left or 0)
    sys.stdout.write("Open a second session and see that you still come in.\n")
    while (left := end - time.monotonic()) > 0:
        sys.stdout.write(f"\rKeep it? Type yes, or no to take it back [{left:3.0f} s] ")
        sys.stdout.flush()
        if not select([sys.stdin], [], [], 1)[0]:
            continue
        answer = sys.stdin.readline().strip().lower()
        if answer in {"y", "yes"}:
            return confirm.run(arguments)
        if answer in {"n", "no"}:
            break
    sys.stdout.write("\n")
    (undone, *_) = flow.rollback(arguments.state_dir, applied.number)
    shared.show(arguments, undone)
    return Exit.FINDINGS
