"""``portward plan``: what would be changed, first for the world, then how."""

import argparse
from pathlib import Path

from portward import flow
from portward.faces import options as shared
from portward.faces.exit_status import Exit
from portward.faces.files import write_new
from portward.model import plans
from portward.model.plan import Plan


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    shared.add_source(parser)
    shared.add_policy(parser)
    shared.add_planning(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="save it, to be applied exactly as it is"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the file where it exists already"
    )
    shared.add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Make the plan, show it and save it."""
    snapshot = shared.source(arguments)
    here = snapshot is None
    case = shared.case(arguments, snapshot or flow.survey())
    networks = tuple(arguments.admin_from)
    ways = flow.way_in(networks) if here or networks else ()
    made = flow.plan(case, ways, remove=arguments.remove, through=arguments.through)
    if arguments.out:
        # It tells an attacker what is open, so only its owner may read it.
        write_new(arguments.out, plans.encode(made), mode=0o600, replace=arguments.force)
    shared.show(arguments, made)
    return outcome(made)


def outcome(made: Plan) -> Exit:
    """Say what a plan's exit status is: a change to make is a finding."""
    return Exit.FINDINGS if made.changes or made.refusals else Exit.NOTHING_WRONG
