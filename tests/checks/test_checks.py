from datetime import date, timedelta
from itertools import chain

import pytest

import build
from portward import checks
from portward.model.errors import UsageError
from portward.model.policy import Suppression
from portward.model.status import Scope

TELNET = build.service("telnet", "23/tcp")
OPEN = build.exposure(
    build.listener("23/tcp", exe="/usr/sbin/inetd", unit="inetd.service", package="inetd"), TELNET
)
SECTIONS = ("Why it matters", "How it is found", "Remedy", "False positives")


def suppression(finding: str, until: date = build.DAY) -> Suppression:
    return Suppression(finding=finding, reason="until the move", until=until, origin="policy:9")


@pytest.mark.parametrize("check_id", checks.checks())
def test_every_check_explains_itself(check_id: str) -> None:
    explanation = checks.explain(check_id)
    assert explanation.topic == f"check {check_id}"
    assert 10 < len(explanation.summary) < 80
    assert tuple(section.heading for section in explanation.sections) == SECTIONS
    assert all(chain.from_iterable(section.lines for section in explanation.sections))


def test_a_paragraph_of_a_section_is_one_line() -> None:
    sections = {one.heading: one.lines for one in checks.explain("open-not-allowed").sections}
    assert len(sections["How it is found"]) == 1


def test_unknown_check_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match='did you mean "open-not-allowed"'):
        checks.explain("open-not-alowed")


def test_a_quiet_machine_gets_a_clean_bill() -> None:
    audit = checks.judge(build.case())
    assert audit.findings == ()
    assert audit.undecided == ()
    assert audit.checks == tuple(checks.checks())


def test_worst_comes_first() -> None:
    past = build.allowance("8080/tcp", until=build.DAY - timedelta(days=1))
    audit = checks.judge(build.case(OPEN, policy=build.policy(past)))
    ranks = [finding.severity.rank for finding in audit.findings]
    assert len(ranks) > 1
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("by", ["id", "check"])
def test_an_accepted_finding_is_set_aside_until_its_last_day(by: str) -> None:
    (finding,) = checks.judge(build.case(OPEN)).findings
    accepted = suppression(getattr(finding, by))
    case = build.case(OPEN, policy=build.policy(suppressions=(accepted,)))
    audit = checks.judge(case)
    assert audit.findings == ()
    assert [one.finding.id for one in audit.suppressed] == [finding.id]
    assert audit.suppressed[0].by == accepted


def test_an_expired_suppression_accepts_nothing_and_is_a_finding() -> None:
    past = suppression("open-not-allowed", build.DAY - timedelta(days=1))
    audit = checks.judge(build.case(OPEN, policy=build.policy(suppressions=(past,))))
    assert {one.check for one in audit.findings} == {"open-not-allowed", "expired-exception"}
    assert audit.suppressed == ()


def test_ids_do_not_depend_on_what_changes_from_run_to_run() -> None:
    first = checks.judge(build.case(OPEN)).findings
    process = build.process("/usr/sbin/inetd", pid=4711)
    again = build.listener(
        "23/tcp", process=process, unit="inetd.service", package="inetd", inodes=(99,)
    )
    second = checks.judge(build.case(build.exposure(again, TELNET, scope=Scope.UNKNOWN))).findings
    assert [one.id for one in first] == [one.id for one in second]
