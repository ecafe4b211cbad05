import pytest

import build
from portward.checks.automatic_updates import check
from portward.model.finding import Finding


@pytest.mark.parametrize(
    ("reason", "installed", "wanted", "not_wanted"),
    [
        ("unattended-upgrades is not installed", False, "apt install", ""),
        ("apt-daily.timer is masked", True, "systemctl unmask apt-daily.timer", "apt install"),
        ("apt-daily.timer is not enabled", True, "systemctl enable --now", "unmask"),
        ("APT::Periodic::Unattended-Upgrade is 0", True, "20auto-upgrades", "apt install"),
        ("unattended-upgrades is allowed no origin", True, "", "20auto-upgrades"),
    ],
)
def test_the_remedy_is_what_is_missing_and_nothing_else(
    reason: str,
    installed: bool,  # noqa: FBT001 - a column of the table above
    wanted: str,
    not_wanted: str,
) -> None:
    case = build.case(
        updates=build.updates(automatic=False, automatic_reason=reason),
        packages=(build.package("unattended-upgrades"),) if installed else (),
    )
    (finding,) = check(case)
    assert isinstance(finding, Finding)
    commands = " ".join(finding.remedy.commands)
    assert wanted in commands
    assert not not_wanted or not_wanted not in commands
