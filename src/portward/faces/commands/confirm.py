"""``portward confirm``: keep what was applied."""

import argparse

from portward import flow
from portward.faces import options as shared
from portward.faces.exit_status import Exit


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    shared.add_state_dir(parser)
    shared.add_format(parser)
    parser.epilog = "exit status: 0 kept, 2 there was nothing to keep, or it is too late"


def run(arguments: argparse.Namespace) -> Exit:
    """Keep what waits."""
    shared.show(arguments, flow.confirm(arguments.state_dir))
    return Exit.NOTHING_WRONG
