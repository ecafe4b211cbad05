"""``portward snapshot``: everything known about a machine, as one file."""

import argparse
import sys
from pathlib import Path

from portward import flow
from portward.faces import options as shared
from portward.faces.exit_status import Exit
from portward.faces.files import write_new
from portward.model import snapshots


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    shared.add_source(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to save it (default: print it)"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the file where it exists already"
    )
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of a snapshot and end"
    )


def run(arguments: argparse.Namespace) -> Exit:
    """Take a snapshot, or print the schema of all snapshots."""
    if arguments.schema:
        sys.stdout.buffer.write(snapshots.schema())
        return Exit.NOTHING_WRONG
    data = snapshots.encode(shared.source(arguments) or flow.survey())
    if arguments.output:
        # It tells an attacker where to begin, so only its owner may read it.
        write_new(arguments.output, data, mode=0o600, replace=arguments.force)
    else:
        sys.stdout.buffer.write(data)
    return Exit.NOTHING_WRONG
