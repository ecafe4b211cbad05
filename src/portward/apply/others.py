"""The rules that others, such as docker, have in iptables, where a tool wipes them away.

firewalld flushes all of them whenever it starts, ends or loads its files again.
"""

import time

from portward.apply.tools import attempt, run

_PROGRAMS = (("iptables-save", "iptables-restore"), ("ip6tables-save", "ip6tables-restore"))
_SETTLE_SECONDS = 1.0


def rules() -> tuple[str, ...]:
    """Return what each save program prints; "" where there is nothing."""
    return tuple(_rules(program) for program, _ in _PROGRAMS)


def give_back(before: tuple[str, ...]) -> None:
    """Load the rules again where they have been wiped; before: what rules() has returned."""
    if any(before):
        time.sleep(_SETTLE_SECONDS)  # docker notices, and puts some of its rules back by itself
    for (program, restore), text in zip(_PROGRAMS, before, strict=False):
        if text and _rules(program) != text:
            run(restore, stdin=text)


def _rules(program: str) -> str:
    """Return the rules without comments and counters, which differ from moment to moment."""
    said = attempt(program)
    if said.returncode:
        return ""
    lines = (line for line in said.stdout.splitlines() if not line.startswith("#"))
    return "".join(
        f"{line.partition(' [')[0] if line.startswith(':') else line}\n" for line in lines
    )
