"""``portward scan``: which ports are open, as seen from outside."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from portward import flow
from portward.faces import options as shared
from portward.faces.exit_status import Exit
from portward.model.errors import UsageError
from portward.model.scan import PortState, Scan

if TYPE_CHECKING:
    from portward.scan.look import Listener
    from portward.scan.ports import Numbers

LINES = "jsonl"
"""A format of its own: it is written while the scan goes on."""
ENGINES = ("auto", "bpf", "ring", "connect")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="a name, an address, 192.0.2.0/24 or 192.0.2.1-192.0.2.9",
    )
    which = parser.add_argument_group("which hosts and ports")
    which.add_argument(
        "--file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="targets from a file, - for standard input; may be repeated",
    )
    which.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="TARGET",
        help="leave these out; may be repeated",
    )
    family = which.add_mutually_exclusive_group()
    family.add_argument("-4", dest="four", action="store_true", help="names: IPv4 addresses only")
    family.add_argument("-6", dest="six", action="store_true", help="names: IPv6 addresses only")
    ports = which.add_mutually_exclusive_group()
    ports.add_argument(
        "-p",
        "--ports",
        metavar="PORTS",
        help='"22,80,8000-8100", "-" for all, "U:53", "ssh", or a role: "web-server" '
        "(default: 1-1023 and those of every service that portward knows)",
    )
    ports.add_argument(
        "--top", type=int, metavar="N", help="the first N ports in the order of portward's own"
    )
    how = parser.add_argument_group("how")
    how.add_argument("--rate", type=float, metavar="N", help="at most N probes a second")
    how.add_argument(
        "--engine", choices=ENGINES, default="auto", help="what sends them (default: auto)"
    )
    how.add_argument(
        "--talk",
        action="store_true",
        help="find out what answers at open TCP ports, and what TLS it speaks",
    )
    how.add_argument(
        "--shard", metavar="I/N", help="do the I-th of N parts; another machine others"
    )
    how.add_argument(
        "--resume",
        type=Path,
        metavar="FILE",
        help="ask only what this result of an interrupted scan (--format json) does not have",
    )
    how.add_argument(
        "--i-am-authorised",
        dest="authorised",
        action="store_true",
        help="scan more public addresses than a /22 has",
    )
    shared.add_format(parser)
    parser.add_argument(
        "--diff",
        nargs=2,
        type=Path,
        metavar=("OLD", "NEW"),
        help="compare two results instead: of portward, nmap, masscan or naabu",
    )
    parser.epilog = (
        "Scan only machines that are your own, or whose owner has asked you to. "
        "exit status: 0 looked at everything, 1 --diff found a difference, "
        "2 bad usage or bad input, 3 could not tell all of it"
    )


def run(arguments: argparse.Namespace) -> Exit:
    """Look, and write what was seen."""
    from portward.scan.look import Asked  # noqa: PLC0415 - the scan is imported when it is used
    from portward.scan.resolve import Words  # noqa: PLC0415 - the same
    from portward.scan.space import WHOLE, Shard  # noqa: PLC0415 - the same

    if arguments.diff:
        return _difference(arguments)
    if arguments.rate is not None and arguments.rate <= 0:
        raise UsageError(f"--rate {arguments.rate:g} is no rate", mend="probes a second")
    if arguments.format != LINES:
        shared.expect_format(arguments, "scan")
    families = {4} if arguments.four else {6} if arguments.six else {4, 6}
    words = Words(
        targets=tuple(arguments.targets),
        files=tuple(arguments.file),
        excluded=tuple(arguments.exclude),
        families=frozenset(families),
        authorised=arguments.authorised,
    )
    asked = Asked(
        hosts=flow.hosts_named(words),
        ports=_ports(arguments),
        engine=arguments.engine,
        rate=arguments.rate,
        part=Shard.parse(arguments.shard) if arguments.shard else WHOLE,
        earlier=flow.read_scan(arguments.resume) if arguments.resume else None,
    )
    listener = _listener(arguments)
    try:
        found = flow.scan(asked, listener)
    finally:
        listener.close()
    if arguments.talk:
        found = flow.talk(found)
    if arguments.format == LINES:
        from portward.report.json import scan_end  # noqa: PLC0415 - as above

        sys.stdout.write(scan_end(found))
    else:
        shared.show(arguments, found)
    return Exit.NOTHING_WRONG if _told(found) else Exit.COULD_NOT_TELL


def _difference(arguments: argparse.Namespace) -> Exit:
    """Say what changed between two results."""
    if arguments.targets or arguments.file:
        raise UsageError("--diff looks at no target", mend="leave out the targets")
    found = flow.scan_difference(*arguments.diff)
    shared.show(arguments, found)
    if found.changes:
        return Exit.FINDINGS
    return Exit.COULD_NOT_TELL if found.gaps else Exit.NOTHING_WRONG


def _ports(arguments: argparse.Namespace) -> "Numbers":
    if arguments.ports:
        return flow.ports_named(arguments.ports)
    return flow.ports_usual(arguments.top)


def _told(found: Scan) -> bool:
    """Say whether nothing is missing from an answer."""
    return found.complete and not any(
        host.unknown or any(port.state == PortState.UNCERTAIN for port in host.ports)
        for host in found.hosts
    )


def _listener(arguments: argparse.Namespace) -> "Listener":
    if sys.stderr.isatty():
        from portward.faces.progress import Bar  # noqa: PLC0415 - rich, only on a terminal

        return Bar(lines=arguments.format == LINES)
    if arguments.format == LINES:
        from portward.faces.scan_lines import Lines  # noqa: PLC0415 - only where used

        return Lines()
    from portward.scan.look import Listener  # noqa: PLC0415 - as above

    return Listener()
