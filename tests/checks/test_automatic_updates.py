import pytest

import build
from portward.checks.automatic_updates import check
from portward.model.finding import Finding
from portward.model.host import Obstacle, ObstacleKind


@pytest.mark.parametrize(
    ("kind", "name", "wanted", "not_wanted"),
    [
        ("tool", "unattended-upgrades", "apt install unattended-upgrades", ""),
        ("masked", "apt-daily.timer", "systemctl unmask apt-daily.timer", "apt install"),
        ("disabled", "apt-daily.timer", "systemctl enable --now apt-daily.timer", "unmask"),
        ("setting", "APT::Periodic::Unattended-Upgrade", "20auto-upgrades", "apt install"),
        ("origin", "origins", "", "20auto-upgrades"),
    ],
)
def test_the_remedy_is_what_is_missing_and_nothing_else(
    kind: str, name: str, wanted: str, not_wanted: str
) -> None:
    obstacle = Obstacle(kind=ObstacleKind(kind), name=name, text=f"{name} is in the way")
    case = build.case(updates=build.updates(automatic=False, obstacles=(obstacle,)))
    (finding,) = check(case)
    assert isinstance(finding, Finding)
    assert [one.text for one in finding.evidence] == [obstacle.text]
    commands = " ".join(finding.remedy.commands)
    assert wanted in commands
    assert not not_wanted or not_wanted not in commands
