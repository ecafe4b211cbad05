"""One self-contained page that a person would forward to their manager."""

from typing import Any

from portward.model.case import Case
from portward.model.finding import Audit, Severity
from portward.model.scan import PortState, Scan, ScannedPort
from portward.model.words import printable, where
from portward.report import Look
from portward.report.screen import audit as audit_screen
from portward.report.screen import status as status_screen
from portward.report.screen.head import plural, policy_words
from portward.report.screen.ports import open_ports


def status(case: Case, _look: Look) -> str:
    """Write what is open."""
    verdict, tone = status_screen.verdict(case)
    return _page(case, verdict=verdict, tone=tone, lines=[status_screen.count(case)])


def audit(audit: Audit, _look: Look) -> str:
    """Write what is wrong and what is open."""
    verdict, tone = audit_screen.verdict(audit)
    faults = [finding for finding in audit.findings if finding.severity != Severity.INFO]
    return _page(
        audit.case,
        audit=audit,
        verdict=verdict,
        tone=tone,
        lines=[status_screen.count(audit.case), " ".join(audit_screen.remarks(audit))],
        faults=sorted(faults, key=lambda finding: finding.severity.rank),
        notes=[finding for finding in audit.findings if finding.severity == Severity.INFO],
    )


def scan(scan: Scan, _look: Look) -> str:
    """Write what is seen from outside."""
    from portward import __version__  # noqa: PLC0415 - the others take the snapshot's
    from portward.report.screen import scan as screen  # noqa: PLC0415 - status does not need it

    opened = sum(port.state == PortState.OPEN for host in scan.hosts for port in host.ports)
    unsure = not scan.complete or any(host.unknown for host in scan.hosts)
    names = [host.name or host.address for host in scan.hosts]
    return _render(
        "scan.jinja",
        scan=scan,
        version=__version__,
        title=names[0] if len(names) == 1 else plural(len(names), "host"),
        verdict=f"{plural(opened, 'open port')} on {plural(len(names), 'host')}.",
        tone="unknown" if unsure else "partly" if opened else "allowed",
        hosts=[
            {
                "title": f"{host.name} ({host.address})" if host.name else host.address,
                "summary": screen.summary(host),
                "rows": [_scanned(port) for port in host.ports],
                "unknown": [one.reason for one in host.unknown],
            }
            for host in scan.hosts
        ],
    )


def _scanned(port: ScannedPort) -> dict[str, str]:
    from portward.report.screen import scan as screen  # noqa: PLC0415 - status does not need it

    return {
        "port": f"{port.port}/{port.protocol}",
        "state": port.state,
        "tone": screen.TONES[port.state],
        "answers": screen.spoken(port),
        "tls": screen.tls(port),
        "certificate": screen.certificate(port),
        "reason": port.reason,
    }


def _page(case: Case, **words: Any) -> str:  # noqa: ANN401 - the names of a template
    rows = open_ports(case)
    return _render(
        "html.jinja",
        snapshot=case.snapshot,
        version=case.snapshot.portward,
        policy="".join(text for text, _ in policy_words(case.policy)) + ".",
        rows=rows,
        places=any(row.place for row in rows),
        where=where,
        **{"audit": None, **words},
    )


def _render(name: str, **words: Any) -> str:  # noqa: ANN401 - the names of a template
    from importlib.resources import files  # noqa: PLC0415 - slow to import, as is jinja2

    from jinja2 import Environment, FunctionLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FunctionLoader(lambda file: files(__package__).joinpath(file).read_text("utf-8")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    return environment.get_template(name).render(**words)
