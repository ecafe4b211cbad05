from datetime import date, timedelta

import pytest

import build
from portward.checks.expired_exception import check
from portward.model.policy import Suppression

YESTERDAY = build.DAY - timedelta(days=1)


@pytest.mark.parametrize(
    ("until", "found"), [(None, 0), (build.DAY, 0), (YESTERDAY, 1), (date(2020, 1, 1), 1)]
)
def test_allowance(until: date | None, found: int) -> None:
    allowed = build.allowance("8080/tcp", until=until, origin="/etc/portward/policy.toml:12")
    findings = list(check(build.case(policy=build.policy(allowed))))
    assert len(findings) == found
    for finding in findings:
        assert "8080/tcp" in finding.title
        assert finding.evidence[0].where == "/etc/portward/policy.toml:12"


@pytest.mark.parametrize(("until", "found"), [(build.DAY, 0), (YESTERDAY, 1)])
def test_suppression(until: date, found: int) -> None:
    accepted = Suppression(finding="PW-00000000", reason="old", until=until, origin="policy:3")
    policy = build.policy(suppressions=(accepted,))
    assert len(list(check(build.case(policy=policy)))) == found
