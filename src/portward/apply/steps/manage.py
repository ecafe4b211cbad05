"""Another firewall tool that is told something, and its files."""

import time
from pathlib import Path

from msgspec import Struct

from portward.apply import disk
from portward.apply.tools import attempt, run
from portward.model.plan import Manage

_ACTIVE = {
    "ufw": (("ufw", "status"), "Status: active"),
    "firewalld": (("systemctl", "is-active", "firewalld.service"), "active"),
}
"""What to ask a tool, and what it says when its rules are loaded."""
_WIPES_IPTABLES = frozenset({"firewalld"})
"""Tools whose start and end flush the rules that others, such as docker, have in iptables."""
_WIPED = (("iptables-save", "iptables-restore"), ("ip6tables-save", "ip6tables-restore"))
_SETTLE_SECONDS = 1.0


class Saved(Struct, frozen=True, kw_only=True, tag="manage", tag_field="of"):
    """The tool's files, whether its rules were loaded, and what it would wipe of others."""

    trees: tuple[tuple[disk.Saved, ...], ...]
    active: bool
    others: tuple[str, ...]
    """Output of each save program; "" where there is nothing, or the tool wipes nothing."""


def save(step: Manage) -> Saved:
    """Read everything that the tool keeps."""
    return Saved(
        trees=tuple(disk.save_tree(Path(one)) for one in step.keeps),
        active=_is_active(step.tool),
        others=tuple(_rules(program) for program, _ in _WIPED)
        if step.tool in _WIPES_IPTABLES
        else (),
    )


def do(step: Manage, saved: Saved) -> None:
    """Run its commands."""
    for command in step.commands:
        run(*command)
    _give_back(saved)


def undo(step: Manage, saved: Saved) -> None:
    """Put its files back, and let it take them again where its rules were loaded."""
    for tree in saved.trees:
        disk.restore_tree(tree)
    if saved.active:
        for command in step.back:
            run(*command)
        for tree in saved.trees:  # it may have written its files anew
            disk.restore_tree(tree)
    _give_back(saved)


def holds(step: Manage) -> str | None:
    """Ask the tool."""
    return f"{step.tool} is still active" if _is_active(step.tool) else None


def _is_active(tool: str) -> bool:
    question, answer = _ACTIVE[tool]
    said = attempt(*question)
    return said.returncode == 0 and answer in said.stdout


def _give_back(saved: Saved) -> None:
    """Load the rules of others again where they have been wiped."""
    if any(saved.others):
        time.sleep(_SETTLE_SECONDS)  # docker notices, and puts some of its rules back by itself
    for (program, restore), before in zip(_WIPED, saved.others, strict=False):
        if before and _rules(program) != before:
            run(restore, stdin=before)


def _rules(program: str) -> str:
    """Return the rules without comments and counters, which differ from moment to moment."""
    said = attempt(program)
    if said.returncode:
        return ""
    lines = (line for line in said.stdout.splitlines() if not line.startswith("#"))
    return "".join(
        f"{line.partition(' [')[0] if line.startswith(':') else line}\n" for line in lines
    )
