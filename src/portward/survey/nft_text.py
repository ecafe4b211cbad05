"""Turns rules in nft's own text into the JSON that nft lists of them.

Only nft itself reads its language, with its variables and includes. So it loads the text into a
network namespace that is made for it, has no packets and is gone right after, and lists what the
kernel then has. The rules of this machine are not touched, and no privilege is needed where the
system lets users make namespaces.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterable

from portward.model.errors import UsageError
from portward.survey import tools
from portward.survey.tools import ToolError

SECONDS = 60
"""nft loads 100,000 rules in about ten."""
_MEMORY = 4 << 20
"""In KiB: what an include without end, such as of a device, may take."""
_MEND = 'give what "nft -j list ruleset" prints'

_APART = ("unshare", "--net", "--pid", "--fork", "--kill-child")
_LOAD = f"""
ulimit -v {_MEMORY}
command -v nft >/dev/null || {{ echo "no nft on this machine"; exit 0; }}
for name; do
    for type in dummy bridge; do ip link add name "$name" type $type >/dev/null 2>&1 && break; done
done
said=$(nft -f - 2>&1) || {{ echo "$said"; exit 0; }}
exec nft -j list ruleset
"""
"""Rules may name interfaces, and those have to be there when they are loaded, of any type."""

_NAME = re.compile(r"[^\s/:-][^\s/:]{0,14}\Z")
"""What the kernel takes as the name of an interface (dev_valid_name()), and ip as no option."""
_SAID = re.compile(
    r"^(?:(?P<file>[^\n]*?):(?P<line>\d+):[\d-]+: )?(?:netlink: )?Error: (?P<what>.*)", re.MULTILINE
)
_TOO_LONG = b"Error: Could not process rule: Message too long\n"
_STANDARD_INPUT = frozenset({"/dev/stdin", "-"})


def listed(text: bytes, where: str, interfaces: Iterable[str] = ()) -> bytes:
    """Return what ``nft -j list ruleset`` prints once a text is loaded, without handles.

    UsageError says what nft does not take, or why it could not be asked. Interfaces are those of
    the machine that the rules are for.
    """
    names = [
        name
        for name in dict.fromkeys(interfaces)
        if name != "lo" and _NAME.match(name) and (name.encode() in text or b"include" in text)
    ]
    with tempfile.TemporaryFile() as file:
        file.write(text)
        file.flush()
        printed = _loaded(file.fileno(), where, names)
    if not printed.startswith(b"{"):
        raise _refused(printed.decode(errors="replace"), where)
    # Handles are those of the namespace that is gone, not of the machine.
    found = json.loads(printed)
    for item in found["nftables"]:
        item.get("rule", {}).pop("handle", None)
    return json.dumps(found).encode()


def _loaded(file: int, where: str, names: list[str]) -> bytes:
    """Return what nft prints, be it the rules or what is wrong with them."""
    # As root in a namespace of users, too, so that nft has no power over anything else; but there
    # the kernel takes no batch of many rules (SO_SNDBUFFORCE), and some systems forbid it.
    ways = [["--user", "--map-root-user"], *([[]] if os.geteuid() == 0 else [])]
    printed, failure = b"", ""
    for way in ways:
        os.lseek(file, 0, os.SEEK_SET)
        try:
            printed = tools.output(
                [*_APART, *way, "sh", "-c", _LOAD, "sh", *names], seconds=SECONDS, stdin=file
            )
        except ToolError as error:
            failure = str(error)
        else:
            if _TOO_LONG not in printed:
                return printed
            failure = "without root it takes no such number of rules at once"
    if "exit status" in failure:
        failure = "this system lets no network namespace be made"
    raise UsageError(f"is nft's own text, which only nft reads: {failure}", where=where, mend=_MEND)


def _refused(said: str, where: str) -> UsageError:
    """Say in one line what nft does not take, and where."""
    found = _SAID.search(said)
    if not found:
        reason = said.strip().partition("\n")[0] or "nft said nothing"
        return UsageError(
            f"is nft's own text, which only nft reads: {reason}", where=where, mend=_MEND
        )
    what, mend = found["what"], "correct it; nft -c -f FILE checks it"
    if "xtables compat" in what:
        what = "iptables wrote this rule, and nft does not print all of it"
        mend = "give what iptables-save prints"
    elif "nterface does not exist" in what:
        mend = "name it in the file of --interfaces"
    if found["file"] and found["file"] not in _STANDARD_INPUT:
        where = found["file"]
    return UsageError(
        f"nft does not take it: {what}",
        where=f"{where}:{found['line']}" if found["line"] else where,
        mend=mend,
    )
