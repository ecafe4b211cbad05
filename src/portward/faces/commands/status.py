"""``portward status``: every open port."""

import argparse

from portward import flow
from portward.faces import options as shared
from portward.faces.exit_status import Exit
from portward.model.unknown import Unknown


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    shared.add_source(parser)
    shared.add_policy(parser)
    shared.add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Show what is open, and whether the role needs it."""
    case = shared.case(arguments, shared.source(arguments) or flow.survey_ports())
    shared.show(arguments, case)
    unseen = isinstance(case.snapshot.listeners, Unknown)
    return Exit.COULD_NOT_TELL if unseen else Exit.NOTHING_WRONG
