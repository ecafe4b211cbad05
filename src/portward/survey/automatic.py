"""Whether updates are installed without anyone asking, and what says so."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from portward.model.host import Obstacle, ObstacleKind
from portward.model.unknown import Maybe
from portward.survey import apt_conf, unit_tree
from portward.survey.apt_conf import Configuration
from portward.survey.files import exists, read_text
from portward.survey.unit_tree import UnitTree

_SYSTEMD = ("usr/lib/systemd/systemd", "lib/systemd/systemd")
_RUNNING = Path("/")

_APT_TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
_APT_CRON = "etc/cron.daily/apt-compat"
_CRON = ("usr/sbin/cron", "usr/sbin/anacron", "usr/sbin/crond")
_ORIGINS = ("Unattended-Upgrade::Allowed-Origins", "Unattended-Upgrade::Origins-Pattern")

# Timers of dnf-automatic: "install" does so whatever the configuration says; the general ones
# ask apply_updates. The two others only tell or download.
_DNF_INSTALLS = ("dnf-automatic-install.timer",)
_DNF_ASKS = ("dnf-automatic.timer", "dnf5-automatic.timer")
_DNF_CONFIGURATIONS = (
    "etc/dnf/automatic.conf",
    "etc/dnf/dnf5-plugins/automatic.conf",
    "usr/share/dnf5/dnf5-plugins/automatic.conf",
)


class Automatic(NamedTuple):
    """The answer, its reason, and what is missing."""

    on: Maybe[bool]
    reason: str
    obstacles: tuple[Obstacle, ...] = ()


def apt(root: Path, configuration: Configuration) -> Automatic:
    """Follow apt.systemd.daily of Debian's apt: its settings, the tool, then what starts it."""
    obstacles = tuple(_apt_obstacles(root, configuration))
    if obstacles:
        return Automatic(on=False, reason=obstacles[0].text, obstacles=obstacles)
    starter = _APT_TIMERS[-1] if _boots_systemd(root) else f"/{_APT_CRON}"
    return Automatic(on=True, reason=f"{starter} starts unattended-upgrades")


def _apt_obstacles(root: Path, configuration: Configuration) -> Iterator[Obstacle]:
    """Yield what stands between apt and its automatic updates."""
    if configuration.value("APT::Periodic::Enable", "1") == "0":
        yield _setting("APT::Periodic::Enable", configuration)
    for name in ("Update-Package-Lists", "Unattended-Upgrade"):
        if not apt_conf.is_interval(configuration.value(f"APT::Periodic::{name}")):
            yield _setting(f"APT::Periodic::{name}", configuration)
    if not exists(root, "usr/bin/unattended-upgrade"):
        yield _tool("unattended-upgrades")
    if not any(configuration.items(name) for name in _ORIGINS):
        text = "unattended-upgrades is allowed no origin"
        yield Obstacle(kind=ObstacleKind.ORIGIN, name="origins", text=text)
    if _boots_systemd(root):
        tree = unit_tree.system(root)
        for timer in _APT_TIMERS:
            yield from _timer(tree, timer)
        return
    if not any(exists(root, path) for path in _CRON):
        yield _tool("cron")
    if not exists(root, _APT_CRON):
        file = f"/{_APT_CRON}"
        yield Obstacle(
            kind=ObstacleKind.STARTER, name="apt-compat", text=f"{file} is not there", file=file
        )


def _setting(name: str, configuration: Configuration) -> Obstacle:
    value = configuration.value(name)
    text = f"{name} " + (f"is {value}" if value else "is not set")
    return Obstacle(kind=ObstacleKind.SETTING, name=name, text=text, file=configuration.file(name))


def _tool(package: str) -> Obstacle:
    return Obstacle(kind=ObstacleKind.TOOL, name=package, text=f"{package} is not installed")


def _timer(tree: UnitTree, name: str) -> Iterator[Obstacle]:
    """Yield why a timer does not start; nothing where it does."""
    if tree.masked(name):
        yield Obstacle(kind=ObstacleKind.MASKED, name=name, text=f"{name} is masked")
    elif not _starts(tree, name):
        yield Obstacle(kind=ObstacleKind.DISABLED, name=name, text=f"{name} is not enabled")


def dnf(root: Path) -> Automatic:
    """Look at the timers of dnf-automatic, and at what its configuration has them do."""
    tree = unit_tree.system(root)
    for timer in _DNF_INSTALLS:
        if _starts(tree, timer):
            return Automatic(on=True, reason=f"{timer} is enabled")
    asking = [timer for timer in _DNF_ASKS if _starts(tree, timer)]
    setting, why = _dnf_setting(root)
    obstacles: tuple[Obstacle, ...] = () if setting is None else (setting,)
    if asking:
        reason = f"{asking[0]} is enabled, {why}"
        return Automatic(on=not obstacles, reason=reason, obstacles=obstacles)
    there = [one for one in _DNF_ASKS if one in tree.files]
    # The tool brings its timer and configuration along.
    stopped = tuple(_timer(tree, there[0])) if there else (_tool("dnf-automatic"),)
    obstacles = (*stopped, *obstacles) if there else stopped
    return Automatic(on=False, reason=obstacles[0].text, obstacles=obstacles)


def _dnf_setting(root: Path) -> tuple[Obstacle | None, str]:
    """Return what is wrong with apply_updates, and what it is."""
    name = "apply_updates"
    for path in _DNF_CONFIGURATIONS:
        try:
            answer = applies(read_text(root, path))
        except FileNotFoundError:
            continue
        if answer:
            return None, f"{name} is yes in /{path}"
        if answer is not None:
            text = f"{name} is no in /{path}"
            kind = ObstacleKind.SETTING
            return Obstacle(kind=kind, name=name, text=text, file=f"/{path}"), text
    text = f"{name} is not set"
    return Obstacle(kind=ObstacleKind.SETTING, name=name, text=text), text


def applies(text: str) -> bool | None:
    """Read apply_updates of section [commands]; None where it is not set."""
    section = ""
    answer = None
    for line in text.splitlines():
        if header := re.fullmatch(r"\s*\[([^\]]*)\]\s*", line):
            section = header[1].strip()
        setting = re.fullmatch(r"apply_updates\s*[=:]\s*(\S*)\s*", line)
        if setting and section == "commands":
            answer = setting[1].lower() in {"yes", "true", "on", "1"}
    return answer


def _starts(tree: UnitTree, name: str) -> bool:
    return name in tree.wanted and tree.file(name) is not None and not tree.masked(name)


def _boots_systemd(root: Path) -> bool:
    """Say whether systemd runs the machine; for an image, whether it would."""
    if root == _RUNNING:
        return exists(root, "run/systemd/system")  # sd_booted(3)
    return any(exists(root, path) for path in _SYSTEMD)
