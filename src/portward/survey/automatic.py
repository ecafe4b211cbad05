"""Whether updates are installed without anyone asking, and what says so."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
    """The answer and its reason."""

    on: Maybe[bool]
    reason: str


def apt(root: Path, configuration: Configuration) -> Automatic:
    """Follow apt.systemd.daily of Debian's apt: its settings, the tool, then what starts it."""
    obstacle = next(_apt_obstacles(root, configuration), None)
    if obstacle is not None:
        return Automatic(on=False, reason=obstacle)
    starter = _APT_TIMERS[-1] if _boots_systemd(root) else f"/{_APT_CRON}"
    return Automatic(on=True, reason=f"{starter} starts unattended-upgrades")


def _apt_obstacles(root: Path, configuration: Configuration) -> Iterator[str]:
    """Yield what stands between apt and its automatic updates."""
    if configuration.value("APT::Periodic::Enable", "1") == "0":
        yield "APT::Periodic::Enable is 0"
    for name in ("Update-Package-Lists", "Unattended-Upgrade"):
        value = configuration.value(f"APT::Periodic::{name}")
        if not apt_conf.is_interval(value):
            yield f"APT::Periodic::{name} " + (f"is {value}" if value else "is not set")
    if not exists(root, "usr/bin/unattended-upgrade"):
        yield "unattended-upgrades is not installed"
    if not any(configuration.items(name) for name in _ORIGINS):
        yield "unattended-upgrades is allowed no origin"
    if _boots_systemd(root):
        tree = unit_tree.system(root)
        for timer in _APT_TIMERS:
            if not _starts(tree, timer):
                yield f"{timer} is {'masked' if tree.masked(timer) else 'not enabled'}"
    elif not exists(root, _APT_CRON) or not any(exists(root, path) for path in _CRON):
        yield "neither systemd nor cron starts apt's daily work"


def dnf(root: Path) -> Automatic:
    """Look at the timers of dnf-automatic, and at what its configuration has them do."""
    tree = unit_tree.system(root)
    for timer in _DNF_INSTALLS:
        if _starts(tree, timer):
            return Automatic(on=True, reason=f"{timer} is enabled")
    asking = [timer for timer in _DNF_ASKS if _starts(tree, timer)]
    if not asking:
        return Automatic(on=False, reason="no timer of dnf-automatic is enabled")
    timer = asking[0]
    for path in _DNF_CONFIGURATIONS:
        try:
            answer = applies(read_text(root, path))
        except FileNotFoundError:
            continue
        if answer is not None:
            word = "yes" if answer else "no"
            reason = f"{timer} is enabled, apply_updates is {word} in /{path}"
            return Automatic(on=answer, reason=reason)
    return Automatic(on=False, reason=f"{timer} is enabled, but apply_updates is not set")


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
