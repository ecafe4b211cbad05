"""Every Debian package and unit that a service names exists in Debian 12, as its archive says."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portward.knowledge import catalogue
from portward.model.service import Service

pytestmark = pytest.mark.packages

RELEASES = {"bookworm", "bookworm-updates", "bookworm-security"}
CAT = "/usr/lib/apt/apt-helper"
TIMEOUT = 300
SERVICES = sorted(catalogue.load(Path("/nonexistent")).services.values(), key=lambda one: one.name)
UNIT_FILES = (
    r"^(usr/)?lib/systemd/(system|user)/[^/]+\.(service|socket|path)[[:space:]]"
    r"|^etc/init\.d/[^/]+[[:space:]]"
)


def index_files(identifier: str) -> list[str]:
    """Return the index files of Debian 12 that apt keeps on this machine."""
    wanted = (f"Identifier: {identifier}", "Origin: Debian")
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(FILENAME)", *wanted],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
    ).stdout
    targets = [line.partition(" ") for line in listed.splitlines()]
    return [name for codename, _, name in targets if codename in RELEASES and Path(name).exists()]


def lines(files: list[str], pattern: str) -> Iterator[str]:
    """Give the lines of index files that match; they are large, so grep looks before we do."""
    cat = [CAT, "cat-file", *files]
    with (
        subprocess.Popen(cat, stdout=subprocess.PIPE) as whole,
        subprocess.Popen(
            ["grep", "-aE", pattern],
            stdin=whole.stdout,
            stdout=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
            text=True,
        ) as found,
    ):
        assert found.stdout is not None
        yield from found.stdout
    assert (whole.returncode, found.returncode) == (0, 0)


@pytest.fixture(scope="module")
def packages() -> set[str]:
    files = index_files("Packages")
    if not files:
        pytest.skip("needs the package lists of Debian 12")
    return {line.split()[1] for line in lines(files, "^Package: ")}


@pytest.fixture(scope="module")
def unit_packages() -> dict[str, set[str]]:
    """Return the packages of every unit name, from the archive's lists of files."""
    files = index_files("Contents-deb")
    if not files and os.geteuid() == 0 and shutil.which("apt-file"):
        # apt-file's configuration tells apt to fetch the lists of files; once a machine.
        subprocess.run(["apt-file", "update"], check=True, timeout=TIMEOUT, capture_output=True)
        files = index_files("Contents-deb")
    if not files:
        pytest.skip("needs the lists of files of Debian 12 (apt-file update)")
    owners: dict[str, set[str]] = {}
    for line in lines(files, UNIT_FILES):
        path, _, locations = line.strip().rpartition(" ")
        name = path.strip().rpartition("/")[2]
        # systemd makes a unit of every SysV script that has none (systemd-sysv-generator(8)).
        unit = f"{name}.service" if path.startswith("etc/init.d/") else name
        owners.setdefault(unit, set()).update(re.split("[,/]", locations))
    return owners


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_packages_exist(service: Service, packages: set[str]) -> None:
    assert [name for name in service.debian.packages if name not in packages] == []


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_units_exist_in_a_package_of_the_service(
    service: Service, unit_packages: dict[str, set[str]]
) -> None:
    # systemd's own units count without its package: every machine has that, so it is no sign.
    owners = {*service.debian.packages, "systemd"}
    foreign = [unit for unit in service.debian.units if not owners & unit_packages.get(unit, set())]
    assert foreign == []


def test_the_lists_know_what_debian_12_has_not(
    packages: set[str], unit_packages: dict[str, set[str]]
) -> None:
    # Names of other distributions, which hardening guides took for Debian's.
    assert "telnet-server" not in packages
    assert "openssh-server" in packages
    assert "dhcpd.service" not in unit_packages
    assert "krb5-kdc" in unit_packages["krb5-kdc.service"]
    assert "slapd" in unit_packages["slapd.service"]
