"""portward's own nft table; no other is ever touched."""

import time

from msgspec import Struct

from portward.apply.tools import attempt, run
from portward.model.plan import TABLE, LoadTable

_NAME = ("inet", TABLE)
_EMPTY = f"table inet {TABLE} {{ }}\ndelete table inet {TABLE}\n"
_WATCHING = f"""\
table inet {TABLE} {{
	chain input {{
		type filter hook input priority 0; policy accept;
		ct state established,related accept
	}}
	chain output {{
		type filter hook output priority 0; policy accept;
		ct state established,related accept
	}}
}}
"""
_WATCHED_SECONDS = 1.5


class Saved(Struct, frozen=True, kw_only=True, tag="table", tag_field="of"):
    """The table as it was, as text; "": there was none."""

    text: str


def save(_step: LoadTable) -> Saved:
    """List the table."""
    return Saved(text=_listed())


def do(step: LoadTable, saved: Saved) -> None:
    """Load the table in one transaction.

    Connections that the kernel has not followed would be strangers to the rules. So where the
    table is new, the kernel is first left to see the traffic go by. That there are entries of
    connection tracking says nothing: they outlive the rules that had it followed, by days.
    """
    if step.rules and not saved.text:
        run("nft", "-f", "-", stdin=_EMPTY + _WATCHING)
        time.sleep(_WATCHED_SECONDS)
    run("nft", "-f", "-", stdin=step.rules or _EMPTY)


def undo(_step: LoadTable, saved: Saved) -> None:
    """Load what was there, or take the table away."""
    run("nft", "-f", "-", stdin=_EMPTY + saved.text)


def holds(step: LoadTable) -> str | None:
    """Say whether the table is there; that it is the right one is proven by reach."""
    if bool(_listed()) == bool(step.rules):
        return None
    return f"the kernel has {'no' if step.rules else 'still a'} table {' '.join(_NAME)}"


def _listed() -> str:
    found = attempt("nft", "--stateless", "list", "table", *_NAME)
    return found.stdout if found.returncode == 0 else ""
