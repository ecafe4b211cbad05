"""``portward init``: write a policy."""

import argparse
import sys
from pathlib import Path

from portward import flow
from portward.faces import options as shared
from portward.faces.exit_status import Exit
from portward.faces.files import write_new
from portward.model.errors import UsageError
from portward.model.policy import Profile
from portward.model.unknown import Unknown
from portward.model.words import printable, where
from portward.policy.guess import Guess
from portward.report.screen.ports import program

READABLE = 0o644


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    what = parser.add_argument_group("what the machine is for")
    what.add_argument(
        "--role", action="append", default=[], metavar="ROLE", help="a role; may be repeated"
    )
    what.add_argument(
        "--guess",
        action="store_true",
        help="propose roles from what runs, with reasons, and write nothing",
    )
    what.add_argument(
        "--profile",
        choices=[profile.value for profile in Profile],
        default=Profile.SERVER.value,
        help="the kind of place that it stands in (default: server)",
    )
    what.add_argument(
        "--admin-from",
        action="append",
        default=[],
        metavar="NETWORK",
        help="who may use SSH, such as 203.0.113.0/24; may be repeated",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=flow.POLICY_FILE,
        metavar="FILE",
        help=f"where to write it, - to print it (default: {flow.POLICY_FILE})",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    shared.add_source(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Write a policy for the named roles, or propose roles."""
    if arguments.guess:
        snapshot = shared.source(arguments) or flow.survey()
        guess = flow.guess(snapshot)
        sys.stdout.write(_proposal(guess))
        return (
            Exit.COULD_NOT_TELL if isinstance(snapshot.listeners, Unknown) else Exit.NOTHING_WRONG
        )
    if not arguments.role:
        raise UsageError("no role is named", mend='name one with --role, or ask with "--guess"')
    text = flow.new_policy(
        tuple(arguments.role),
        shared.source(arguments) or flow.survey_ports(),
        profile=Profile(arguments.profile),
        admin=tuple(arguments.admin_from),
    )
    if str(arguments.output) == "-":
        sys.stdout.write(text)
    else:
        write_new(arguments.output, text.encode(), mode=READABLE, replace=arguments.force)
        sys.stdout.write(f"Wrote {arguments.output}. Read it, then: portward audit\n")
    return Exit.NOTHING_WRONG


def _proposal(guess: Guess) -> str:
    lines = []
    for proposed in guess.roles:
        lines.append(f"Role {proposed.role}, because:")
        lines += [f"  - {printable(reason)}" for reason in proposed.reasons]
    if not guess.roles:
        lines.append("No role is plain to see from what runs.")
    if guess.unexplained:
        lines.append("\nNo role explains:")
        for one in guess.unexplained:
            known = one.recognition
            who = known.service.title if known else f"{program(one.listener)}, unknown service"
            lines.append(f"  - {where(one.listener)}: {printable(who)}")
    lines += [f"\n{gap}" for gap in guess.gaps]
    if guess.roles:
        roles = " ".join(f"--role {proposed.role}" for proposed in guess.roles)
        lines.append(f"\nIf that is what the machine is for: portward init {roles}")
    return "\n".join(lines) + "\n"
