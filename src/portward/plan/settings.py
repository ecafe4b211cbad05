"""Kernel settings of the network: put right now, and for every boot from now on."""

from portward.checks.kernel_settings import wrong
from portward.model.case import Case
from portward.model.plan import Change, SetSysctl, WriteFile
from portward.model.unknown import Unknown
from portward.plan.parts import Part

FILE = "/etc/sysctl.d/zz-portward.conf"
"""The last of its folder, so that it has the last word (sysctl.d(5))."""
_HEAD = "# Written by portward, and the last of its folder; portward rollback takes it back.\n"


def settings(case: Case) -> Part:
    """Set what helps an attacker and no role needs, and nothing else."""
    snapshot = case.snapshot
    if snapshot.machine.inside == "container":
        return Part(notes=("Kernel settings belong to the host of this container.",))
    if isinstance(snapshot.sysctls, Unknown):
        return Part(notes=(f"Kernel settings are not known: {snapshot.sysctls.reason}.",))
    wanted = {key: str(value) for key, value in wrong(case).items()}
    if not wanted:
        return Part()
    live = {one.key: one.live for one in snapshot.sysctls}
    text = written({**read(snapshot.files.get(FILE, "")), **wanted})
    steps = [SetSysctl(key=key, value=value) for key, value in wanted.items() if key in live]
    now = tuple(step for step in steps if live[step.key] not in {None, step.value})
    keep = () if snapshot.files.get(FILE) == text else (WriteFile(path=FILE, text=text),)
    return Part(
        (
            Change(
                subject="kernel settings",
                title=f"Set {len(wanted)} kernel settings of the network",
                why="Redirects, source routes and forged senders help whoever is on the way.",
                steps=(*keep, *now),
            ),
        )
    )


def read(text: str) -> dict[str, str]:
    """Read the settings of a file of sysctl.d."""
    pairs = (line.split("=", 1) for line in text.splitlines() if not line.startswith(("#", ";")))
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) > 1}


def written(values: dict[str, str]) -> str:
    """Write settings as a file of sysctl.d: what is general before what is one interface's."""

    def order(key: str) -> tuple[bool, str]:
        return ".all." not in key and ".default." not in key, key

    return _HEAD + "".join(f"{key} = {values[key]}\n" for key in sorted(values, key=order))
