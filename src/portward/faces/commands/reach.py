"""``portward reach``: who can reach a port, and which rules decide."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from portward import flow
from portward.faces import options as shared
from portward.faces.exit_status import Exit
from portward.model.errors import UsageError
from portward.model.host import Snapshot
from portward.model.net import MAX_PORT

if TYPE_CHECKING:
    from portward.reach.site import Site

LIVE = "live"
"""The ruleset of this machine, as one side of a difference."""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("port", nargs="?", metavar="PORT", help='"5432/tcp", or a name: "ssh"')
    question = parser.add_argument_group("other questions").add_mutually_exclusive_group()
    question.add_argument(
        "--matrix", action="store_true", help="all ports: classes of sources and what each reaches"
    )
    question.add_argument(
        "--diff",
        nargs=2,
        metavar=("OLD", "NEW"),
        help='what opens and what closes; each a ruleset, a snapshot, or "live" for this machine',
    )
    question.add_argument(
        "--packets",
        type=Path,
        metavar="FILE",
        help="a batch of packets: JSON lines in, JSON lines out",
    )
    packet = parser.add_argument_group("one packet instead of all sources")
    packet.add_argument("--from", dest="source", metavar="ADDRESS", help="where it comes from")
    packet.add_argument("--via", metavar="IFACE", help="the interface that it comes by")
    packet.add_argument("--to", metavar="ADDRESS", help="its destination (default: this machine)")
    packet.add_argument("--source-port", type=int, metavar="PORT", help="its source port")
    machine = parser.add_argument_group("instead of this machine")
    machine.add_argument(
        "--snapshot", type=Path, metavar="FILE", help="a saved snapshot of a machine"
    )
    machine.add_argument(
        "--ruleset",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="what nft -j list ruleset, iptables-save or ip6tables-save prints, "
        "or a file for nft -f; may be repeated",
    )
    machine.add_argument(
        "--interfaces", type=Path, metavar="FILE", help="interfaces, addresses and routes, as JSON"
    )
    parser.add_argument(
        "--policy", type=Path, metavar="FILE", help="the policy that names networks"
    )
    shared.add_format(parser)
    parser.epilog = (
        "exit status: 0 answered, 1 --diff found a difference, 2 bad usage or bad input, "
        "3 could not tell: the answer is perhaps"
    )


def run(arguments: argparse.Namespace) -> Exit:
    """Answer the question that the options ask."""
    others = arguments.matrix or arguments.diff or arguments.packets
    if bool(arguments.port) == bool(others):
        raise UsageError(
            "ask one question: PORT, --matrix, --diff or --packets",
            mend='such as "portward reach 22/tcp"',
        )
    if others:
        _refuse_a_packet(arguments)
    if arguments.diff:
        return _difference(arguments)
    site = flow.site(_snapshot(arguments), tuple(arguments.ruleset), arguments.policy)
    if arguments.matrix:
        return _matrix(arguments, site)
    if arguments.packets:
        return _packets(arguments, site)
    return _packet(arguments, site) if arguments.source else _port(arguments, site)


def _refuse_a_packet(arguments: argparse.Namespace) -> None:
    """Refuse what describes one packet where another question is asked."""
    packet = {
        "--from": arguments.source,
        "--via": arguments.via,
        "--to": arguments.to,
        "--source-port": arguments.source_port,
    }
    for option, value in packet.items():
        if value is not None:
            raise UsageError(f"{option} describes one packet", mend="name its PORT instead")


def _snapshot(arguments: argparse.Namespace) -> Snapshot:
    """Return the machine that the ruleset belongs to."""
    if arguments.snapshot and arguments.interfaces:
        raise UsageError("--snapshot has interfaces of its own", mend="leave out --interfaces")
    if arguments.snapshot:
        return flow.read_snapshot(arguments.snapshot)
    if arguments.interfaces:
        return flow.read_interfaces(arguments.interfaces)
    return flow.survey_ports()


def _port(arguments: argparse.Namespace, site: "Site") -> Exit:
    from portward.model.reaching import Answer  # noqa: PLC0415 - reach is imported when it is used
    from portward.reach.question import port  # noqa: PLC0415 - the same

    if arguments.via or arguments.to or arguments.source_port is not None:
        raise UsageError("--via, --to and --source-port describe a packet", mend="add --from")
    asked = flow.port_named(arguments.port)
    answer = port(site, asked.protocol, asked.first)
    shared.show(arguments, answer)
    return Exit.COULD_NOT_TELL if answer.answer == Answer.PERHAPS else Exit.NOTHING_WRONG


def _packet(arguments: argparse.Namespace, site: "Site") -> Exit:
    from portward.model.reaching import Answer  # noqa: PLC0415 - reach is imported when it is used
    from portward.reach.packets import EPHEMERAL  # noqa: PLC0415 - the same
    from portward.reach.trace import Question, follow  # noqa: PLC0415 - the same

    asked = flow.port_named(arguments.port)
    sport = EPHEMERAL if arguments.source_port is None else arguments.source_port
    if not 0 <= sport <= MAX_PORT:
        raise UsageError(f"--source-port {sport} is no port", mend=f"0 to {MAX_PORT}")
    answer = follow(
        site,
        Question(asked.protocol, asked.first, arguments.source, arguments.via, arguments.to, sport),
    )
    shared.show(arguments, answer)
    return Exit.COULD_NOT_TELL if answer.answer == Answer.PERHAPS else Exit.NOTHING_WRONG


def _packets(arguments: argparse.Namespace, site: "Site") -> Exit:
    """Answer a batch; a line that is no packet ends it."""
    from portward.reach.batch import questions  # noqa: PLC0415 - reach is imported when it is used
    from portward.reach.trace import follow  # noqa: PLC0415 - the same
    from portward.report.json import line  # noqa: PLC0415 - the same

    where = str(arguments.packets)
    try:
        with sys.stdin.buffer if where == "-" else arguments.packets.open("rb") as lines:
            for number, question in questions(lines, where):
                try:
                    answer = follow(site, question)
                except UsageError as error:
                    place = f"{where}:{number}"
                    raise UsageError(error.what, where=place, mend=error.mend) from None
                sys.stdout.write(line(answer))
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=where) from None
    return Exit.NOTHING_WRONG


def _matrix(arguments: argparse.Namespace, site: "Site") -> Exit:
    from portward.reach.matrix import matrix  # noqa: PLC0415 - reach is imported when it is used

    shared.show(arguments, matrix(site))
    return Exit.COULD_NOT_TELL if site.gaps else Exit.NOTHING_WRONG


def _difference(arguments: argparse.Namespace) -> Exit:
    from portward.reach.diff import difference  # noqa: PLC0415 - reach is imported when it is used

    if arguments.ruleset:
        raise UsageError("--diff names both rulesets itself", mend="leave out --ruleset")
    old, new = (_side(arguments, word) for word in arguments.diff)
    found = difference(old, new, tuple(arguments.diff))
    shared.show(arguments, found)
    if found.changes:
        return Exit.FINDINGS
    return Exit.COULD_NOT_TELL if found.gaps else Exit.NOTHING_WRONG


def _side(arguments: argparse.Namespace, word: str) -> "Site":
    """Return one of the two rulesets, on the machine that the options name."""
    if word == LIVE:
        return flow.site(flow.survey_ports(), (), arguments.policy)
    return flow.site_of_file(Path(word), lambda: _snapshot(arguments), arguments.policy)
