"""Lines of inetd and xinetd that no role needs: switched off, the others left as they are."""

import re
from collections.abc import Iterable

from portward.model.case import Case
from portward.model.host import InetdLine, Unit
from portward.model.plan import Change, ReloadUnit, Risk, Step, WriteFile
from portward.model.unknown import Unknown
from portward.plan.parts import Part
from portward.plan.units import are_managed, stopping, together

OFF = "#<off># "
"""How update-inetd(8) marks a line that it may switch on again."""

_SUPER_SERVERS = ("inetutils-inetd.service", "openbsd-inetd.service", "inetd.service")
_XINETD = "xinetd.service"
_DISABLE = re.compile(r"[ \t]*disable[ \t]*=.*")


def inetd(case: Case) -> Part:
    """Switch off every line whose port nothing allows; stop a super-server that serves nobody."""
    known = case.snapshot.inetd
    if isinstance(known, Unknown):
        return Part(notes=(f"The lines of inetd are not known: {known.reason}.",))
    needless = [line for line in known if not _is_allowed(line, case)]
    changes: list[Change] = []
    notes: list[str] = []
    for path in dict.fromkeys(line.file for line in needless):
        lines = [line for line in needless if line.file == path]
        names = ", ".join(dict.fromkeys(line.service for line in lines))
        text = case.snapshot.files.get(path)
        if text is None:
            notes.append(f"{names} in {path} must be switched off by hand: it cannot be read.")
            continue
        edited = without(text, lines)
        rest = [line for line in known if line not in needless and _same_server(line, lines[0])]
        changes.append(
            Change(
                subject=f"inetd {path}",
                title=f"Switch off {names} in {path}",
                why="The super-server opens these ports for whoever connects; no role needs them.",
                steps=(
                    WriteFile(path=path, text=edited, mode=0o644),
                    *_afterwards(lines[0], case, serves=bool(rest)),
                ),
                risk=Risk.NONE if rest else Risk.ENDS,
            )
        )
    return Part(tuple(changes), tuple(notes))


def without(text: str, lines: Iterable[InetdLine]) -> str:
    """Return the text of a file in which some lines (of xinetd: blocks) are switched off."""
    written = text.splitlines(keepends=True)
    for line in sorted(lines, key=lambda one: -one.line):
        if is_xinetd(line):
            _disable(written, line.line - 1)
        elif not written[line.line - 1].startswith("#"):
            written[line.line - 1] = OFF + written[line.line - 1]
    return "".join(written)


def is_xinetd(line: InetdLine) -> bool:
    """Say whether a line is the first one of a block of xinetd."""
    return "xinetd" in line.file


def _disable(written: list[str], first: int) -> None:
    """Write "disable = yes" into the block that begins at a line, once."""
    end = next((at for at in range(first, len(written)) if "}" in written[at]), len(written))
    start = next((at for at in range(first, end) if "{" in written[at]), first)
    for at in range(end - 1, start, -1):
        if _DISABLE.match(written[at]):
            del written[at]
    written.insert(start + 1, "\tdisable = yes\n")


def _afterwards(line: InetdLine, case: Case, *, serves: bool) -> tuple[Step, ...]:
    """Make the super-server take the file, or end it where it has nothing left to serve."""
    if not are_managed(case):
        return ()
    units = () if isinstance(case.snapshot.units, Unknown) else case.snapshot.units
    names = {_XINETD} if is_xinetd(line) else set(_SUPER_SERVERS)
    running = [unit for unit in units if unit.name in names and _is_running(unit)]
    if serves:
        return tuple(ReloadUnit(unit=unit.name) for unit in running)
    return together(stopping((unit.name for unit in running), case))


def _is_running(unit: Unit) -> bool:
    return unit.active in {"active", "reloading", "activating"}


def _same_server(one: InetdLine, other: InetdLine) -> bool:
    return is_xinetd(one) == is_xinetd(other)


def _is_allowed(line: InetdLine, case: Case) -> bool:
    """Say whether an allowance in force has the line's port; a line without a port opens none."""
    if line.port is None:
        return True
    return any(
        (line.protocol, line.port) in ports
        for one in case.policy.allowances
        if one.until is None or case.day <= one.until
        for ports in one.ports
    )
