from pathlib import Path

import pytest

from portward.model.host import ObstacleKind
from portward.survey import apt_conf
from portward.survey.automatic import applies, apt, dnf

PERIODIC = 'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n'
ORIGINS = 'Unattended-Upgrade::Origins-Pattern { "origin=Debian"; };\n'
WANTS = "etc/systemd/system/timers.target.wants"


def put(root: Path, path: str, text: str = "") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def enable(root: Path, timer: str) -> None:
    put(root, f"usr/lib/systemd/system/{timer}", "[Timer]\nOnCalendar=daily\n")
    (root / WANTS).mkdir(parents=True, exist_ok=True)
    (root / WANTS / timer).symlink_to(f"/usr/lib/systemd/system/{timer}")


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    """Make an image where everything is on."""
    put(tmp_path, "usr/lib/systemd/systemd")
    put(tmp_path, "usr/bin/unattended-upgrade")
    put(tmp_path, "etc/apt/apt.conf.d/20auto-upgrades", PERIODIC)
    put(tmp_path, "etc/apt/apt.conf.d/50unattended-upgrades", ORIGINS)
    enable(tmp_path, "apt-daily.timer")
    enable(tmp_path, "apt-daily-upgrade.timer")
    return tmp_path


def test_everything_is_on(debian: Path) -> None:
    reason = "apt-daily-upgrade.timer starts unattended-upgrades"
    assert apt(debian, apt_conf.load(debian)) == (True, reason, ())


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ('APT::Periodic::Enable "0";', "APT::Periodic::Enable is 0"),
        ('APT::Periodic::Unattended-Upgrade "0";', "APT::Periodic::Unattended-Upgrade is 0"),
        ("#clear APT::Periodic;", "APT::Periodic::Update-Package-Lists is not set"),
        ("#clear Unattended-Upgrade;", "unattended-upgrades is allowed no origin"),
    ],
)
def test_setting_that_switches_it_off(debian: Path, setting: str, reason: str) -> None:
    put(debian, "etc/apt/apt.conf.d/99local", setting)
    answer = apt(debian, apt_conf.load(debian))
    assert (answer.on, answer.reason) == (False, reason)


def test_tool_that_is_missing(debian: Path) -> None:
    (debian / "usr/bin/unattended-upgrade").unlink()
    answer = apt(debian, apt_conf.load(debian))
    assert (answer.on, answer.reason) == (False, "unattended-upgrades is not installed")
    assert [one.kind for one in answer.obstacles] == [ObstacleKind.TOOL]


def test_timer_that_is_masked_or_not_enabled(debian: Path) -> None:
    (debian / "etc/systemd/system/apt-daily-upgrade.timer").symlink_to("/dev/null")
    configuration = apt_conf.load(debian)
    (masked,) = apt(debian, configuration).obstacles
    assert masked.kind == ObstacleKind.MASKED
    assert masked.text == "apt-daily-upgrade.timer is masked"
    (debian / WANTS / "apt-daily.timer").unlink()
    disabled, _ = apt(debian, configuration).obstacles
    assert disabled.kind == ObstacleKind.DISABLED
    assert disabled.text == "apt-daily.timer is not enabled"


def test_the_file_that_switches_it_off_is_named(debian: Path) -> None:
    put(
        debian,
        "etc/apt/apt.conf",
        'APT { Periodic { Enable "0"; } }; #clear APT::Periodic::Unattended-Upgrade;',
    )
    setting, unset = apt(debian, apt_conf.load(debian)).obstacles
    assert (setting.name, setting.file) == ("APT::Periodic::Enable", "/etc/apt/apt.conf")
    assert (unset.name, unset.file) == ("APT::Periodic::Unattended-Upgrade", None)


def test_without_systemd_cron_must_be_there(debian: Path) -> None:
    (debian / "usr/lib/systemd/systemd").unlink()
    configuration = apt_conf.load(debian)
    assert apt(debian, configuration).on is False
    put(debian, "etc/cron.daily/apt-compat")
    assert apt(debian, configuration).on is False
    put(debian, "usr/sbin/cron")
    assert apt(debian, configuration).on is True


@pytest.mark.parametrize("interval", ["1", "7", "always", "12h", "30m"])
def test_intervals_that_are_on(interval: str) -> None:
    assert apt_conf.is_interval(interval)


@pytest.mark.parametrize("interval", ["0", "", "never", "0d", "-1"])
def test_intervals_that_are_off(interval: str) -> None:
    assert not apt_conf.is_interval(interval)


@pytest.mark.parametrize(
    ("timer", "setting", "on"),
    [
        ("dnf-automatic.timer", "apply_updates = yes", True),
        ("dnf-automatic.timer", "apply_updates = no", False),
        ("dnf-automatic.timer", "", False),
        ("dnf-automatic-install.timer", "apply_updates = no", True),
        ("dnf-automatic-download.timer", "apply_updates = yes", False),
        ("dnf5-automatic.timer", "apply_updates=True", True),
    ],
)
def test_timers_of_dnf(tmp_path: Path, timer: str, setting: str, on: bool) -> None:  # noqa: FBT001 - a column of the table
    enable(tmp_path, timer)
    put(tmp_path, "etc/dnf/automatic.conf", f"[commands]\n{setting}\n[emitters]\n")
    assert dnf(tmp_path).on is on


def test_dnf_without_a_timer(tmp_path: Path) -> None:
    answer = dnf(tmp_path)
    assert (answer.on, answer.reason) == (False, "dnf-automatic is not installed")
    put(tmp_path, "usr/lib/systemd/system/dnf-automatic.timer", "[Timer]\n")
    put(tmp_path, "etc/dnf/automatic.conf", "[commands]\napply_updates = no\n")
    kinds = [one.kind for one in dnf(tmp_path).obstacles]
    assert kinds == [ObstacleKind.DISABLED, ObstacleKind.SETTING]


def test_only_the_section_of_commands_counts() -> None:
    assert applies("[emitters]\napply_updates = yes\n") is None
    assert applies("[commands]\n# apply_updates = yes\napply_updates = 1\n") is True
