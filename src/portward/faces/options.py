"""Options that several commands share, and what they mean."""

import argparse
import os
import sys
from datetime import date
from pathlib import Path

from portward import flow
from portward.model.case import Case
from portward.model.errors import UsageError
from portward.model.host import Snapshot
from portward.report import UNBOUNDED, Document, Look, expect, render

TERMINAL = "terminal"
PLAIN = "plain"
"""What takes the place of "terminal" in a pipe or a file."""
NARROWEST = 40
_PIPE = Look(width=UNBOUNDED)


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the machine: this one, a saved snapshot, or an image."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--snapshot",
        type=Path,
        metavar="FILE",
        help="judge a saved snapshot instead of this machine; - for standard input",
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


def add_planning(parser: argparse.ArgumentParser) -> None:
    """Add what a plan is asked besides the policy."""
    parser.add_argument(
        "--remove",
        action="store_true",
        help="remove the packages of what no role needs; their configuration and data stay",
    )
    parser.add_argument(
        "--through",
        choices=("ufw", "firewalld", "portward"),
        help="who is in charge of the firewall: a tool that is active here, which is told what to"
        " let in, or portward's own table (default: as by the last plan, else portward)",
    )
    parser.add_argument(
        "--admin-from",
        action="append",
        default=[],
        metavar="NETWORK",
        help="who must still come in by SSH (default: where this session came from)",
    )


def add_state_dir(parser: argparse.ArgumentParser) -> None:
    """Add the choice of where the journal lies."""
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=flow.STATE_DIR,
        metavar="DIR",
        help=f"where the journal of all changes lies (default: {flow.STATE_DIR})",
    )


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the output format; a wrong one is answered with the list of all."""
    parser.add_argument(
        "--format",
        default=TERMINAL,
        help="how to write it: terminal, json, html and others (a wrong one lists them)",
    )


def source(arguments: argparse.Namespace) -> Snapshot | None:
    """Return the snapshot of a file or an image; None when this machine is meant."""
    if arguments.snapshot:
        piped = str(arguments.snapshot) == "-"
        return flow.read_snapshot(Path("/dev/stdin") if piped else arguments.snapshot)
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


def show(arguments: argparse.Namespace, document: Document) -> None:
    """Print a document in the chosen format."""
    on_terminal = sys.stdout.isatty()
    name = arguments.format
    if name == TERMINAL and not on_terminal:
        name = PLAIN
    sys.stdout.write(render(name, document, _terminal() if on_terminal else _PIPE))


def expect_format(arguments: argparse.Namespace, kind: str) -> None:
    """Refuse a format that there is not, before work is done in vain."""
    expect(arguments.format, kind)


def _terminal() -> Look:
    dumb = os.environ.get("TERM") == "dumb"
    return Look(
        width=max(NARROWEST, os.get_terminal_size().columns),
        colour=not dumb and not os.environ.get("NO_COLOR"),  # no-color.org
        unicode=not dumb and (sys.stdout.encoding or "").lower().startswith("utf"),
    )
