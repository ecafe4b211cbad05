"""How to let updates install themselves: the very thing that is missing, and no more."""

from collections.abc import Callable, Iterable, Iterator

from portward.model.finding import Remedy
from portward.model.host import Obstacle, ObstacleKind, Updates

_APT_FILE = "/etc/apt/apt.conf.d/20auto-upgrades"
_DNF_FILE = "/etc/dnf/automatic.conf"
_ORIGINS = "50unattended-upgrades"

_UNSAID = {
    "apt": (
        Obstacle(kind=ObstacleKind.TOOL, name="unattended-upgrades", text=""),
        Obstacle(kind=ObstacleKind.SETTING, name="APT::Periodic::Update-Package-Lists", text=""),
        Obstacle(kind=ObstacleKind.SETTING, name="APT::Periodic::Unattended-Upgrade", text=""),
        Obstacle(kind=ObstacleKind.DISABLED, name="apt-daily.timer", text=""),
        Obstacle(kind=ObstacleKind.DISABLED, name="apt-daily-upgrade.timer", text=""),
    ),
    "dnf": (Obstacle(kind=ObstacleKind.TOOL, name="dnf-automatic", text=""),),
}
"""What to see to where a snapshot does not say what is missing."""

_DNF_TOOL = (
    f'Install dnf-automatic, write "apply_updates = yes" in {_DNF_FILE}, and start its timer.'
)
_DNF_STEPS = ("dnf install dnf-automatic", "systemctl enable --now dnf-automatic.timer")


def switch_on(updates: Updates) -> Remedy:
    """Say how to have updates installed automatically on a machine where they are not."""
    manager = updates.manager or ""
    obstacles = updates.obstacles or _UNSAID.get(manager, ())
    steps = list(_STEPS[manager](obstacles)) if manager in _STEPS else []
    if not steps:
        return Remedy(summary="Switch on automatic security updates.")
    summaries = (text for text, _ in steps)
    return Remedy(
        summary=" ".join(dict.fromkeys(summaries)),
        commands=tuple(command for _, commands in steps for command in commands),
    )


Step = tuple[str, tuple[str, ...]]
"""A sentence, and what to type."""


def _apt(obstacles: Iterable[Obstacle]) -> Iterator[Step]:
    """Put right what keeps unattended-upgrades from its work, the tool first."""
    known = _by_kind(obstacles)
    tools = [one.name for one in known[ObstacleKind.TOOL]]
    if tools:
        yield f"Install {' and '.join(tools)}.", (f"apt install {' '.join(tools)}",)
    if known[ObstacleKind.ORIGIN] and "unattended-upgrades" not in tools:
        yield (
            f"Name the archives that it may take updates from, as in the original {_ORIGINS}.",
            (f"cp /usr/share/unattended-upgrades/{_ORIGINS} /etc/apt/apt.conf.d/",),
        )
    by_file: dict[str, list[str]] = {}
    for one in known[ObstacleKind.SETTING]:
        by_file.setdefault(one.file or _APT_FILE, []).append(f'{one.name} "1";')
    for file, lines in by_file.items():
        # The last assignment counts, so a line at the end of the same file is enough.
        quoted = " ".join(f"'{line}'" for line in lines)
        yield f"Switch automatic updates on in {file}.", (f"printf '%s\\n' {quoted} >> {file}",)
    for one in known[ObstacleKind.STARTER]:
        reinstall = "apt install --reinstall -o Dpkg::Options::=--force-confmiss apt"
        yield f"Bring back {one.file}.", (reinstall,)
    yield from _units(known)


def _dnf(obstacles: Iterable[Obstacle]) -> Iterator[Step]:
    """Put right what keeps dnf-automatic from its work."""
    known = _by_kind(obstacles)
    if known[ObstacleKind.TOOL]:
        yield _DNF_TOOL, _DNF_STEPS
    for one in known[ObstacleKind.SETTING]:
        ours = one.file is not None and one.file.startswith("/etc/")
        file = one.file if ours else _DNF_FILE
        edit = f"sed -i 's/^apply_updates.*/apply_updates = yes/' {file}"
        yield (
            f'Write "apply_updates = yes" under [commands] in {file}.',
            (edit,) if ours else (),
        )
    yield from _units(known)


def _units(known: dict[ObstacleKind, list[Obstacle]]) -> Iterator[Step]:
    masked = [one.name for one in known[ObstacleKind.MASKED]]
    names = [*masked, *(one.name for one in known[ObstacleKind.DISABLED])]
    unmask = (f"systemctl unmask {' '.join(masked)}",) if masked else ()
    if names:
        start = f"systemctl enable --now {' '.join(names)}"
        yield f"Let {' and '.join(names)} start.", (*unmask, start)


def _by_kind(obstacles: Iterable[Obstacle]) -> dict[ObstacleKind, list[Obstacle]]:
    found: dict[ObstacleKind, list[Obstacle]] = {kind: [] for kind in ObstacleKind}
    for one in obstacles:
        found[one.kind].append(one)
    return found


_STEPS: dict[str, Callable[[Iterable[Obstacle]], Iterator[Step]]] = {"apt": _apt, "dnf": _dnf}
