"""``portward rollback``: take back what was applied."""

import argparse

from portward import flow
from portward.faces import options as shared
from portward.faces.exit_status import Exit
from portward.model.applied import History, State


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "number",
        nargs="?",
        type=int,
        metavar="NUMBER",
        help="of an apply in the history; all later ones are taken back first (default: the last)",
    )
    shared.add_state_dir(parser)
    shared.add_format(parser)
    parser.epilog = (
        "exit status: 0 all is as it was before, 1 something could not be taken back,"
        " 2 there was nothing to take back"
    )


def run(arguments: argparse.Namespace) -> Exit:
    """Take it back, and say what became of it."""
    undone = flow.rollback(arguments.state_dir, arguments.number)
    shared.show(arguments, History(applied=undone))
    whole = all(one.state == State.ROLLED_BACK for one in undone)
    return Exit.NOTHING_WRONG if whole else Exit.FINDINGS
