import pytest

import build
from portward.checks.unneeded_installed import check
from portward.model.finding import Finding
from portward.model.service import Distribution

TFTP = build.service("tftp", "69/udp", debian=Distribution(packages=("tftpd-hpa",)))
STUB = build.service("stub", "53/udp", essential=True, debian=Distribution(packages=("resolved",)))
MDNS = build.service("mdns", "5353/udp", debian=Distribution(packages=("avahi", "resolved")))
CATALOGUE = build.catalogue(TFTP, STUB, MDNS)


@pytest.mark.parametrize(("name", "found"), [("tftpd-hpa", 1), ("tftp-hpa", 0), ("resolved", 0)])
def test_package(name: str, found: int) -> None:
    case = build.case(packages=(build.package(name),), catalogue=CATALOGUE)
    results = list(check(case))
    assert len(results) == found
    for result in results:
        assert isinstance(result, Finding)
        assert result.remedy.commands == ("apt purge tftpd-hpa",)


def test_not_while_it_listens_starts_or_is_needed() -> None:
    packages = (build.package("tftpd-hpa"),)
    listens = build.exposure(build.listener("69/udp", package="tftpd-hpa"), TFTP)
    starts = (build.unit("tftpd-hpa.service", package="tftpd-hpa"),)
    needed = build.policy(build.allowance("69/udp", service="tftp"))
    assert list(check(build.case(listens, packages=packages, catalogue=CATALOGUE))) == []
    assert list(check(build.case(units=starts, packages=packages, catalogue=CATALOGUE))) == []
    assert list(check(build.case(policy=needed, packages=packages, catalogue=CATALOGUE))) == []
