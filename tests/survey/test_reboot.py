import pytest

from portward.model.unknown import Unknown
from portward.survey.reboot import newer_kernel


@pytest.mark.parametrize(
    ("running", "installed"),
    [
        ("6.1.0-18-amd64", {"6.1.0-18-amd64", "6.1.0-17-amd64"}),
        ("6.1.0-18-amd64", {"6.1.0-18-amd64", "6.1.0-20-cloud-amd64"}),
        ("6.12.43+deb13-amd64", {"6.12.43+deb13-amd64", "6.1.0-40-amd64"}),
        ("6.5.6-300.fc39.x86_64", {"6.5.6-300.fc39.x86_64"}),
    ],
)
def test_newest_kernel_runs(running: str, installed: set[str]) -> None:
    assert newer_kernel(running, installed) == (False, None)


@pytest.mark.parametrize(
    ("running", "newest"),
    [
        ("6.1.0-9-amd64", "6.1.0-18-amd64"),
        ("6.1.0-40-amd64", "6.12.43+deb13-amd64"),
        ("6.5.6-300.fc39.x86_64", "6.8.5-301.fc40.x86_64"),
        ("5.14.0-362.8.1.el9_3.x86_64", "5.14.0-362.18.1.el9_3.x86_64"),
        ("5.15.0-91-generic", "5.15.0-105-generic"),
    ],
)
def test_newer_kernel_waits(running: str, newest: str) -> None:
    required, reason = newer_kernel(running, {running, newest})
    assert required is True
    assert reason == f"kernel {newest} is installed, {running} runs"


def test_kernel_from_elsewhere() -> None:
    assert newer_kernel("6.18.0-host", set())[0] is False
    found, _ = newer_kernel("6.18.0-host", {"6.1.0-18-amd64"})
    assert isinstance(found, Unknown)
