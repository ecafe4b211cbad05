"""What tests need that not every machine has; with CI=true whatever is missing is a failure."""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

# In CI the examples are the same every time and the clock does not matter: what fails there has
# been broken by the change, and what fails by chance is found at somebody's desk.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "desk")


def _missing(marker: str) -> str | None:
    root = "root" if os.geteuid() else None
    if marker == "root":
        return root
    if marker == "guest":
        tools = ("debootstrap", "systemd-nspawn", "ip", "nsenter")
        missing = [tool for tool in tools if not shutil.which(tool)]
        return root or (", ".join(missing) or None)
    if marker == "browser":
        return None if shutil.which("chromium") else "chromium"
    if marker == "packages":
        lists = Path("/var/lib/apt/lists")
        return None if any(lists.glob("*_Packages*")) else "the package lists (apt-get update)"
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers():
        missing = _missing(marker.name)
        if missing:
            pytest.skip(f"needs {missing}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: in CI nothing may be skipped: {reason}"
    return report
