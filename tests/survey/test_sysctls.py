import os
from pathlib import Path

import pytest

from portward.model.host import Sysctl
from portward.model.unknown import Unknown
from portward.survey.sysctls import sysctls

COOKIES = "net.ipv4.tcp_syncookies"


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def survey(root: Path) -> dict[str, Sysctl]:
    found = sysctls(root)
    assert not isinstance(found, Unknown)
    return {setting.key: setting for setting in found}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with systemd."""
    write(tmp_path, "usr/lib/systemd/systemd-sysctl", "")
    return tmp_path


def boot(root: Path, key: str = COOKIES) -> tuple[object, str | None]:
    setting = survey(root)[key]
    return setting.boot, setting.boot_source


def test_live_values_are_the_kernels() -> None:
    found = survey(Path("/"))
    forward = Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    assert found["net.ipv4.ip_forward"].live == forward
    assert found["net.ipv4.ip_local_port_range"].live == " ".join(
        Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    )
    assert "net.ipv4.conf.lo.rp_filter" in found
    assert list(found) == sorted(found, key=lambda key: key.translate(str.maketrans("./", "/.")))


def test_a_kernel_without_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portward.survey.sysctls.SETTINGS", {"net.ipv4.never_heard_of": "a test"})
    assert survey(Path("/"))["net.ipv4.never_heard_of"].live is None


def test_an_image_does_not_run(image: Path) -> None:
    setting = survey(image)[COOKIES]
    assert setting.live == Unknown("the image is not running")
    assert (setting.boot, setting.boot_source) == (None, None)


def test_names_decide_before_directories(image: Path) -> None:
    write(image, "etc/sysctl.d/10-a.conf", f"{COOKIES}=0")
    write(image, "usr/lib/sysctl.d/50-b.conf", f"\n{COOKIES}=1")
    assert boot(image) == ("1", "/usr/lib/sysctl.d/50-b.conf:2")


def test_the_stronger_directory_hides_a_file_of_the_same_name(image: Path) -> None:
    write(image, "usr/lib/sysctl.d/50-b.conf", f"{COOKIES}=1\n")
    write(image, "usr/local/lib/sysctl.d/50-b.conf", f"{COOKIES}=2\n")
    assert boot(image)[0] == "2"
    write(image, "run/sysctl.d/50-b.conf", f"{COOKIES}=0\n")
    assert boot(image)[0] == "0"
    write(image, "etc/sysctl.d/50-b.conf", "# nothing\n")
    assert boot(image)[0] is None


def test_a_link_to_dev_null_hides_a_file(image: Path) -> None:
    write(image, "usr/lib/sysctl.d/50-b.conf", f"{COOKIES}=1\n")
    (image / "etc/sysctl.d").mkdir(parents=True)
    (image / "etc/sysctl.d/50-b.conf").symlink_to("/dev/null")
    assert boot(image)[0] is None


def test_other_names_are_no_configuration(image: Path) -> None:
    write(image, "etc/sysctl.d/10-a.conf.dpkg-old", f"{COOKIES}=0")
    write(image, "etc/sysctl.d/README", f"{COOKIES}=0")
    assert boot(image)[0] is None


def test_sysctl_conf_counts_through_its_link(image: Path) -> None:
    write(image, "etc/sysctl.conf", f"#\n{COOKIES}=0\n")
    assert boot(image)[0] is None
    (image / "etc/sysctl.d").mkdir(parents=True)
    (image / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    assert boot(image) == ("0", "/etc/sysctl.conf:2")


def test_without_systemd_procps_reads_sysctl_conf_last(tmp_path: Path) -> None:
    write(tmp_path, "etc/sysctl.conf", f"{COOKIES}=0\n")
    write(tmp_path, "etc/sysctl.d/zz.conf", f"{COOKIES}=1\n")
    assert boot(tmp_path) == ("0", "/etc/sysctl.conf:1")


@pytest.mark.parametrize(("enabled", "value"), [("yes", "1"), ("no", "0")])
def test_ufw_applies_its_own_file_when_it_starts(image: Path, enabled: str, value: str) -> None:
    write(image, "etc/sysctl.d/zz.conf", f"{COOKIES}=0\n")
    write(image, "etc/ufw/ufw.conf", f"ENABLED={enabled}\n")
    write(image, "etc/default/ufw", "IPT_SYSCTL=/etc/ufw/sysctl.conf\n")
    write(image, "etc/ufw/sysctl.conf", "net/ipv4/tcp_syncookies=1\n")
    assert boot(image)[0] == value


def test_a_glob_reaches_all_and_default_of_an_image(image: Path) -> None:
    write(image, "etc/sysctl.d/a.conf", "net.ipv4.conf.*.rp_filter=2\n")
    assert boot(image, "net.ipv4.conf.default.rp_filter")[0] == "2"
    assert boot(image, "net.ipv4.conf.all.rp_filter")[0] == "2"


def test_a_file_that_cannot_be_read_is_no_absent_file(image: Path) -> None:
    (image / "etc/sysctl.d").mkdir(parents=True)
    os.mkfifo(image / "etc/sysctl.d/a.conf")
    setting = survey(image)[COOKIES]
    assert isinstance(setting.boot, Unknown)
    assert "/etc/sysctl.d/a.conf" in setting.boot.reason


def test_bytes_that_are_no_text(image: Path) -> None:
    write(image, "etc/sysctl.d/b.conf", f"{COOKIES}=0\n")
    (image / "etc/sysctl.d/a.conf").write_bytes(b"\xff\xfe=\x00\n")
    assert boot(image)[0] == "0"
