"""Another firewall tool that is told something, and its files."""

from pathlib import Path

from msgspec import Struct

from portward.apply import disk
from portward.apply.tools import attempt, run
from portward.model.plan import Manage


class Saved(Struct, frozen=True, kw_only=True, tag="manage", tag_field="of"):
    """The tool's files, and whether its rules were loaded."""

    trees: tuple[tuple[disk.Saved, ...], ...]
    active: bool


def save(step: Manage) -> Saved:
    """Read everything that the tool keeps."""
    return Saved(
        trees=tuple(disk.save_tree(Path(one)) for one in step.keeps), active=_is_active(step.tool)
    )


def do(step: Manage, _saved: Saved) -> None:
    """Run its commands."""
    for command in step.commands:
        run(*command)


def undo(step: Manage, saved: Saved) -> None:
    """Put its files back, and let it take them again where its rules were loaded."""
    for tree in saved.trees:
        disk.restore_tree(tree)
    if saved.active:
        for command in step.back:
            run(*command)
        for tree in saved.trees:  # it may have written its files anew
            disk.restore_tree(tree)


def holds(step: Manage) -> str | None:
    """Ask the tool; one that was not told to disable itself has nothing to read back."""
    if (step.tool, "disable") in step.commands and _is_active(step.tool):
        return f"{step.tool} is still active"
    return None


def _is_active(tool: str) -> bool:
    said = attempt(tool, "status")
    return said.returncode == 0 and "Status: active" in said.stdout
