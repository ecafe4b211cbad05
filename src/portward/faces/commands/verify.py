"""``portward verify``: inside and outside, reconciled."""

import argparse
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from portward import flow
from portward.faces import options as shared
from portward.faces.exit_status import Exit
from portward.model.errors import UsageError

if TYPE_CHECKING:
    from portward.model.case import Case
    from portward.model.scan import Scan
    from portward.model.verification import Verification
    from portward.scan.ports import Numbers


CABLE = "cable"
"""Instead of an interface: the cable to the place outside that is made on this machine."""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    inside = parser.add_argument_group(
        "the inside view (default: this machine)"
    ).add_mutually_exclusive_group()
    inside.add_argument("--snapshot", type=Path, metavar="FILE", help="a saved snapshot")
    inside.add_argument(
        "--ssh", metavar="USER@HOST", help="a machine that runs portward snapshot over SSH"
    )
    outside = parser.add_argument_group(
        "the outside view (default: a place outside that is made on this machine; with --ssh, here)"
    ).add_mutually_exclusive_group()
    outside.add_argument(
        "--from-outside",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a scan of the machine by portward, nmap, masscan or naabu; may be repeated",
    )
    outside.add_argument(
        "--via", metavar="USER@HOST", help="a machine that runs portward scan over SSH"
    )
    how = parser.add_argument_group("what is asked")
    how.add_argument("--source", metavar="ADDRESS", help="where the machine saw the scan come from")
    how.add_argument(
        "--interface",
        metavar="IFACE",
        help="by which it came in (default: as an answer leaves; of the place that is made here, "
        f'the one that leads outside, or "{CABLE}")',
    )
    how.add_argument(
        "--address",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="which addresses to scan (default: all that others can send to); may be repeated",
    )
    how.add_argument(
        "-p",
        "--ports",
        metavar="PORTS",
        help='"22,80,U:53", "-" for all of TCP (default: that, and each UDP port that listens)',
    )
    shared.add_policy(parser)
    shared.add_format(parser)
    parser.epilog = (
        "exit status: 0 inside, outside and the policy agree, 1 they do not, "
        "2 bad usage or bad input, 3 could not tell all of it"
    )


def run(arguments: argparse.Namespace) -> Exit:
    """Look from both sides, and say where they differ."""
    shared.expect_format(arguments, "verification")
    for text in (*arguments.address, *filter(None, [arguments.source])):
        try:
            ip_address(text)
        except ValueError:
            raise UsageError(f'"{text}" is no address', mend="such as 203.0.113.7") from None
    found = _verified(arguments)
    shared.show(arguments, found)
    if found.findings:
        return Exit.FINDINGS
    untold = found.gaps or any(view.untold for view in found.views)
    return Exit.COULD_NOT_TELL if untold else Exit.NOTHING_WRONG


def _verified(arguments: argparse.Namespace) -> "Verification":
    from portward.verify.reconcile import Outside  # noqa: PLC0415 - imported when it is used

    ports = flow.ports_named(arguments.ports) if arguments.ports else None
    addresses = tuple(arguments.address)
    if not (arguments.from_outside or arguments.via or arguments.ssh):
        if arguments.snapshot:
            raise UsageError(
                "a snapshot is the inside view alone",
                mend="add the outside one with --from-outside FILE or --via USER@HOST",
            )
        _refuse(arguments, "source")
        interface = "" if arguments.interface == CABLE else arguments.interface
        return flow.verify_from_here(lambda: _here(arguments), ports, addresses, interface)
    judged = _inside(arguments)
    if arguments.from_outside:
        _refuse(arguments, "address", "ports")
        scans = [flow.read_scan(file) for file in arguments.from_outside]
    else:
        scans = [_scan(arguments, judged, ports)]
    outsides = [Outside(one, arguments.source or "", arguments.interface or "") for one in scans]
    return flow.verify(judged, outsides, arguments.policy)


def _refuse(arguments: argparse.Namespace, *names: str) -> None:
    """Refuse what describes another way to look."""
    for name in names:
        if getattr(arguments, name):
            raise UsageError(f"--{name} has no meaning here", mend="see portward verify --help")


def _here(arguments: argparse.Namespace) -> "Case":
    return shared.case(arguments, flow.survey_ports())


def _inside(arguments: argparse.Namespace) -> "Case":
    if arguments.ssh:
        return shared.case(arguments, flow.snapshot_of(arguments.ssh))
    if arguments.snapshot:
        return shared.case(arguments, flow.read_snapshot(arguments.snapshot))
    return _here(arguments)


def _scan(arguments: argparse.Namespace, judged: "Case", ports: "Numbers | None") -> "Scan":
    from portward.verify import standing  # noqa: PLC0415 - imported when it is used

    addresses = tuple(arguments.address) or standing.targets(judged.snapshot)
    asked = ports or standing.ports(judged)
    if arguments.via:
        return flow.scan_from(arguments.via, addresses, asked)
    return flow.scan_from_here(addresses, asked)
