"""Write docs/roles.md from the roles of the catalogue: ``python -m scripts.roles``."""

from collections.abc import Iterator
from pathlib import Path

from portward.knowledge import catalogue
from portward.model.service import Catalogue, Role

PAGE = Path(__file__).parent.parent / "docs/roles.md"
HEAD = """\
# Roles

What each role has, and for whom. Nothing else may be open, except the housekeeping of every
machine. Written by `python -m scripts.roles` from `src/portward/knowledge/roles/`.
"""


def page(known: Catalogue) -> str:
    """Return the text of docs/roles.md."""
    return "\n".join(
        [HEAD, *(line for role in known.roles.values() for line in _role(role, known))]
    )


def _role(role: Role, known: Catalogue) -> Iterator[str]:
    yield f"## {role.name}\n\n{role.title}. {role.summary}\n"
    more = [
        *(["passes packets on between networks"] if role.forwards else []),
        *(["takes no IPv6 router advertisements"] if not role.autoconf else []),
        *(["may hold raw and packet sockets"] if role.captures else []),
    ]
    if more:
        yield f"It {', '.join(more)}.\n"
    if not role.needs:
        return
    yield "| service | ports | for | | why |\n|---|---|---|---|---|"
    for need in role.needs:
        ports = ", ".join(map(str, known.services[need.service].ports))
        kind = "optional" if need.optional else "needed"
        yield f"| {need.service} | {ports} | {need.audience} | {kind} | {need.reason} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(catalogue.load(Path("/nonexistent"))))
