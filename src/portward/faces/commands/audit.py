"""``portward audit``: what is wrong, and what to do."""

import argparse

from portward import flow
from portward.faces import options as shared
from portward.faces.exit_status import Exit
from portward.model.finding import Audit, Severity


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    shared.add_source(parser)
    shared.add_policy(parser)
    shared.add_format(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Judge the machine and show the findings."""
    audit = flow.audit(shared.case(arguments, shared.source(arguments) or flow.survey()))
    shared.show(arguments, audit)
    return outcome(audit)


def outcome(audit: Audit) -> Exit:
    """Say what an audit's exit status is; findings that only inform do not fail it."""
    if any(finding.severity != Severity.INFO for finding in audit.findings):
        return Exit.FINDINGS
    return Exit.COULD_NOT_TELL if audit.undecided else Exit.NOTHING_WRONG
