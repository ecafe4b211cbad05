"""Another firewall tool that is told something, and its files."""

from pathlib import Path

from msgspec import Struct

from portward.apply import disk, others
from portward.apply.tools import attempt, run
from portward.model.plan import Manage

_ACTIVE = {
    "ufw": (("ufw", "status"), "Status: active"),
    "firewalld": (("systemctl", "is-active", "firewalld.service"), "active"),
}
"""What to ask a tool, and what it says when its rules are loaded."""
_WIPES_IPTABLES = frozenset({"firewalld"})
"""Tools whose start and end flush the rules that others, such as docker, have in iptables."""


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
        others=others.rules() if step.tool in _WIPES_IPTABLES else (),
    )


def do(step: Manage, saved: Saved) -> None:
    """Run its commands."""
    for command in step.commands:
        run(*command)
    others.give_back(saved.others)


def undo(step: Manage, saved: Saved) -> None:
    """Put its files back, and let it take them again where its rules were loaded."""
    for tree in saved.trees:
        disk.restore_tree(tree)
    if saved.active:
        for command in step.back:
            run(*command)
        for tree in saved.trees:  # it may have written its files anew
            disk.restore_tree(tree)
    others.give_back(saved.others)


def holds(step: Manage) -> str | None:
    """Ask the tool."""
    return f"{step.tool} is still active" if _is_active(step.tool) else None


def _is_active(tool: str) -> bool:
    question, answer = _ACTIVE[tool]
    said = attempt(*question)
    return said.returncode == 0 and answer in said.stdout
