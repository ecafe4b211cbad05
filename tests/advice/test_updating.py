from typing import Any

import pytest

import build
from portward.advice.updating import switch_on
from portward.model.finding import Remedy
from portward.model.host import Obstacle, ObstacleKind

PERIODIC = "APT::Periodic::Unattended-Upgrade"


def obstacle(kind: str, name: str = "", file: str | None = None) -> Obstacle:
    return Obstacle(kind=ObstacleKind(kind), name=name, text="it is so", file=file)


def advice(*obstacles: Obstacle, **facts: Any) -> Remedy:
    return switch_on(build.updates(automatic=False, obstacles=obstacles, **facts))


@pytest.mark.parametrize(
    ("missing", "commands"),
    [
        (obstacle("tool", "unattended-upgrades"), ["apt install unattended-upgrades"]),
        (
            obstacle("setting", PERIODIC),
            [f"printf '%s\\n' '{PERIODIC} \"1\";' >> /etc/apt/apt.conf.d/20auto-upgrades"],
        ),
        (
            obstacle("setting", PERIODIC, "/etc/apt/apt.conf"),
            [f"printf '%s\\n' '{PERIODIC} \"1\";' >> /etc/apt/apt.conf"],
        ),
        (obstacle("disabled", "a.timer"), ["systemctl enable --now a.timer"]),
        (
            obstacle("masked", "a.timer"),
            ["systemctl unmask a.timer", "systemctl enable --now a.timer"],
        ),
        (
            obstacle("origin"),
            [
                "cp /usr/share/unattended-upgrades/50unattended-upgrades /etc/apt/apt.conf.d/",
            ],
        ),
    ],
)
def test_only_what_is_missing_is_mended(missing: Obstacle, commands: list[str]) -> None:
    assert list(advice(missing).commands) == commands


def test_the_tool_brings_its_origins_and_comes_first() -> None:
    found = advice(
        obstacle("setting", PERIODIC), obstacle("origin"), obstacle("tool", "unattended-upgrades")
    )
    assert found.commands[0] == "apt install unattended-upgrades"
    assert not any("cp" in one.split() for one in found.commands)


def test_an_older_snapshot_does_not_say_so_everything_is_named() -> None:
    commands = advice().commands
    assert [one.split()[0] for one in commands] == ["apt", "printf", "systemctl"]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (obstacle("tool", "dnf-automatic"), ["dnf", "systemctl"]),
        (obstacle("disabled", "dnf-automatic.timer"), ["systemctl"]),
        (obstacle("setting", "apply_updates", "/etc/dnf/automatic.conf"), ["sed"]),
        (obstacle("setting", "apply_updates", "/usr/share/dnf5/automatic.conf"), []),
        (obstacle("setting", "apply_updates"), []),
    ],
)
def test_dnf(missing: Obstacle, words: list[str]) -> None:
    found = advice(missing, manager="dnf")
    assert [one.split()[0] for one in found.commands] == words
    assert "/usr/share" not in found.summary
    assert found.summary


def test_of_another_manager_no_command_is_known() -> None:
    assert advice(manager="pacman").commands == ()
