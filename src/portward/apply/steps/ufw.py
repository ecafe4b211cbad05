"""ufw, which stays in charge and is told its rules, one command each.

Only where rules have to be put in another order, or the kernel's are not those of ufw's files, is
ufw loaded again: it takes its rules away for a moment when that is done.
"""

import shlex
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from portward.apply import disk
from portward.apply.tools import attempt, run
from portward.backends import ufw
from portward.model.errors import ApplyError
from portward.model.plan import SetUfw, UfwRule

_KEEPS = ("/etc/ufw", ufw.DEFAULTS)
_SAVES = {4: "iptables-save", 6: "ip6tables-save"}
_DIRECTIONS = {"DEFAULT_INPUT_POLICY": "incoming", "DEFAULT_FORWARD_POLICY": "routed"}
_ACTIVE = "Status: active"


class Saved(Struct, frozen=True, kw_only=True, tag="ufw", tag_field="of"):
    """Its files, and whether its rules were loaded."""

    trees: tuple[tuple[disk.Saved, ...], ...]
    active: bool


def save(_step: SetUfw) -> Saved:
    """Read everything that ufw keeps."""
    return Saved(trees=tuple(disk.save_tree(Path(one)) for one in _KEEPS), active=_is_active())


def do(step: SetUfw, _saved: Saved) -> None:
    """Add what is missing, deny the rest, then delete what is not meant: the way in stays open."""
    if not _is_active():
        raise ApplyError("ufw is not active any more", mend="start it with ufw enable")
    run("ufw", "--force", "enable")  # for boots, too; where it is active nothing is loaded
    there = _rules()
    wanted = [ufw.words(one) for one in step.rules]
    _add(one for one in step.rules if ufw.words(one) not in there)
    for setting, policy in ufw.defaults(_text(ufw.DEFAULTS)).items():
        if policy == "ACCEPT":
            run("ufw", "default", "deny", _DIRECTIONS[setting])
    _delete(words for words in there if words not in wanted)
    if _differs(step):
        _delete(wanted)
        _add(step.rules)
    if _differs(step):
        run("ufw", "reload")


def undo(_step: SetUfw, saved: Saved) -> None:
    """Put its files back and let it load them."""
    _restore(saved)
    if saved.active:
        run("ufw", "--force", "enable")
        run("ufw", "reload")
        _restore(saved)  # it may have written its files anew


def holds(step: SetUfw) -> str | None:
    """Ask ufw, its files and the kernel."""
    if not _is_active():
        return "ufw is not active"
    if set(_rules()) != {ufw.words(one) for one in step.rules}:
        return "ufw lists other rules"
    return _differs(step)


def _differs(step: SetUfw) -> str | None:
    """Say in what the files, or the kernel, are not as meant; None where they are."""
    files = {path: _text(path) for path in (*ufw.FILES.values(), ufw.DEFAULTS)}
    if not ufw.are_kept(files, step.rules):
        return "the files of ufw hold other rules"
    for family, program in _SAVES.items():
        text = run(program)
        if ufw.has_chains(text, family) and not ufw.are_loaded(text, step.rules, family):
            return f"{program} shows other rules"
    return None


def _rules() -> list[tuple[str, ...]]:
    """Return the rules that ufw lists, but for what the machine sends."""
    lines = run("ufw", "show", "added").splitlines()
    listed = [tuple(shlex.split(line)[1:]) for line in lines if line.startswith("ufw ")]
    return [words for words in listed if words[1:2] != ("out",)]


def _add(rules: Iterable[UfwRule]) -> None:
    for one in rules:
        run("ufw", *ufw.typed(one))


def _delete(listed: Iterable[tuple[str, ...]]) -> None:
    """Delete rules; where there is none ufw says so, and all is well."""
    for words in listed:
        plain = words[: words.index("comment")] if "comment" in words else words
        route = plain[:1] == ("route",)
        run("ufw", *(("route", "delete", *plain[1:]) if route else ("delete", *plain)))


def _is_active() -> bool:
    said = attempt("ufw", "status")
    return said.returncode == 0 and _ACTIVE in said.stdout


def _restore(saved: Saved) -> None:
    for tree in saved.trees:
        disk.restore_tree(tree)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
