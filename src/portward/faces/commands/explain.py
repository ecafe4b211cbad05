"""``portward explain``: what is known about a port, a service, a role, a check, a finding."""

import argparse

from portward import flow
from portward.faces import options as shared
from portward.faces.exit_status import Exit


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "topic",
        nargs="+",
        metavar="TOPIC",
        help='"137/udp", "telnet", "role web-server", "service http", "check open-not-allowed",'
        ' or the id of a finding ("PW-..."), which is looked for in a new audit',
    )
    shared.add_source(parser)
    shared.add_policy(parser)
    shared.add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Show what is known."""
    topic = " ".join(arguments.topic)
    if topic.upper().startswith("PW-"):
        audit = flow.audit(shared.case(arguments, shared.source(arguments) or flow.survey()))
        explanation = flow.explain_finding(topic, audit)
    else:
        explanation = flow.explain(topic)
    shared.show(arguments, explanation)
    return Exit.NOTHING_WRONG
