"""Options that several commands share, and what they mean."""

import argparse
import os
import sys
from datetime import date
from pathlib import Path

from portward import flow
from portward.model.case import Case
from portward.model.errors import UsageError
from portward.model.explanation import Explanation
from portward.model.finding import Audit
from portward.model.host import Snapshot
from portward.report import Look, formats, render

NARROWEST = 40
PIPE_WIDTH = 160


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the machine: this one, a saved snapshot, or an image."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--snapshot",
        type=Path,
        metavar="FILE",
        help="judge a saved snapshot instead of this machine",
    )
    source.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="survey the file tree of an image that does not run",
    )


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Add the choice of what the machine should be."""
    policy = parser.add_mutually_exclusive_group()
    policy.add_argument(
        "--policy", type=Path, metavar="FILE", help=f"the policy (default: {flow.POLICY_FILE})"
    )
    policy.add_argument(
        "--role",
        action="append",
        default=[],
        metavar="ROLE",
        help="judge by this role instead of a policy; may be repeated",
    )


def add_format(parser: argparse.ArgumentParser, document: str) -> None:
    """Add the choice of the output format, among those that can show the document."""
    parser.add_argument(
        "--format",
        choices=formats(document),
        default="terminal",
        metavar="FORMAT",
        help=f"one of {', '.join(formats(document))} (default: terminal)",
    )


def source(arguments: argparse.Namespace) -> Snapshot | None:
    """Return the snapshot of a file or an image; None when this machine is meant."""
    if arguments.snapshot:
        return flow.read_snapshot(arguments.snapshot)
    if arguments.root:
        if not arguments.root.is_dir():
            raise UsageError("is no directory", where=f"--root {arguments.root}")
        return flow.survey(arguments.root)
    return None


def case(arguments: argparse.Namespace, snapshot: Snapshot) -> Case:
    """Join a snapshot with the policy that the options name."""
    return flow.case(
        snapshot,
        day=date.today(),  # noqa: DTZ011 - "until" in a policy means the administrator's own day
        policy_file=arguments.policy,
        roles=tuple(arguments.role),
    )


def show(arguments: argparse.Namespace, document: Case | Audit | Explanation) -> None:
    """Print a document in the chosen format, for a terminal or for a pipe."""
    sys.stdout.write(render(arguments.format, document, _look()))


def _look() -> Look:
    if not sys.stdout.isatty():
        return Look(width=PIPE_WIDTH, colour=False)
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Look(width=max(NARROWEST, os.get_terminal_size().columns), colour=colour)
