"""``portward history``: what was applied."""

import argparse

from portward import flow
from portward.faces import options as shared
from portward.faces.exit_status import Exit


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    shared.add_state_dir(parser)
    shared.add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """List every apply, the newest first."""
    shared.show(arguments, flow.history(arguments.state_dir))
    return Exit.NOTHING_WRONG
