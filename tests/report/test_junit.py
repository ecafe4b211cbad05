from collections.abc import Callable
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from portward.model.finding import Audit, Severity
from portward.report import Look, junit
from report import sample


def suite(audit: Audit) -> ET.Element:
    root = ET.fromstring(junit.audit(audit, Look()).encode())  # noqa: S314 - our own output
    assert root.tag == "testsuites"
    [only] = root
    return only


def test_audit(golden: Callable[[str, str], None]) -> None:
    golden("audit.junit.xml", junit.audit(sample.audit(), Look()))


def test_each_check_is_a_case_that_passes_fails_or_is_skipped() -> None:
    outcome = {
        case.get("name"): [child.tag for child in case]
        for case in suite(sample.audit()).iter("testcase")
    }
    assert outcome == {
        "sample-cleartext-service": ["failure"],
        "sample-firewall-absent": ["skipped"],
        "sample-hidden-executable": ["failure"],
        "sample-inetd-lines": [],
        "sample-kernel-settings": ["failure"],
        "sample-open-not-allowed": ["failure"],
        "sample-unowned-port": ["skipped"],
        "sample-updates-pending": [],
    }


def test_the_counts_are_those_of_the_cases() -> None:
    one = suite(sample.audit())
    assert int(one.get("tests", "")) == len(list(one.iter("testcase")))
    assert int(one.get("failures", "")) == len(list(one.iter("failure")))
    assert int(one.get("skipped", "")) == len(list(one.iter("skipped")))


def test_notes_do_not_fail() -> None:
    notes = tuple(one for one in sample.findings() if one.severity == Severity.INFO)
    assert suite(replace(sample.quiet_audit(), findings=notes)).get("failures") == "0"


def test_a_failed_check_that_could_not_tell_all_says_both() -> None:
    finding = sample.findings()[0]
    undecided = replace(sample.audit().undecided[0], check=finding.check)
    audit = replace(sample.quiet_audit(), findings=(finding,), undecided=(undecided,))
    [case] = [one for one in suite(audit).iter("testcase") if one.get("name") == finding.check]
    assert [child.tag for child in case] == ["failure", "system-out"]


def test_several_findings_of_a_check_are_one_failure_that_names_all() -> None:
    first = sample.findings()[2]
    second = replace(first, subject="other", title="Another port", severity=Severity.CRITICAL)
    [failure] = suite(replace(sample.quiet_audit(), findings=(first, second))).iter("failure")
    assert failure.get("message") == "Another port (and 1 more)"
    assert failure.get("type") == "critical"
    assert first.id in str(failure.text)
    assert second.id in str(failure.text)


@given(st.text(st.characters(codec=None), max_size=30))
def test_any_text_gives_well_formed_xml(text: str) -> None:
    finding = replace(sample.findings()[0], title=text, why=text)
    audit = replace(sample.quiet_audit(), findings=(finding,))
    [failure] = suite(audit).iter("failure")
    legal = all(char.isprintable() for char in text)
    assert not legal or failure.get("message") == text
