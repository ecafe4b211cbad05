import pytest
from msgspec.structs import replace

from portward.model.finding import Evidence, Severity
from portward.report import Look, plain
from report import sample


def test_a_clean_bill_is_given_only_where_all_could_be_judged() -> None:
    quiet = sample.quiet_audit()
    assert "Nothing to close. 2 checks passed." in plain.audit(quiet, Look())
    unsure = replace(quiet, undecided=sample.audit().undecided)
    text = plain.audit(unsure, Look())
    assert "Nothing to close" not in text
    assert "passed" not in text
    assert "No fault found, but not everything could be judged." in text


def test_unknown_ports_are_never_a_clean_bill() -> None:
    for undecided in (sample.blind_audit().undecided, ()):
        text = plain.audit(replace(sample.blind_audit(), undecided=undecided), Look(width=100))
        assert "Could not judge: the open ports are unknown" in text
        assert "Nothing to close" not in text


def test_findings_stand_from_the_worst_to_the_least() -> None:
    backwards = replace(sample.audit(), findings=tuple(reversed(sample.findings())))
    text = plain.audit(backwards, Look())
    places = [text.index(f"! {word}  ") for word in ("CRITICAL", "HIGH", "MEDIUM", "LOW")]
    assert places == sorted(places)


def test_notes_do_not_count_as_findings() -> None:
    notes = tuple(one for one in sample.findings() if one.severity == Severity.INFO)
    text = plain.audit(replace(sample.quiet_audit(), findings=notes), Look())
    assert "Nothing to close. 2 checks passed. 1 note below." in text
    assert notes[0].id in text


def test_commands_can_be_copied_from_a_narrow_terminal() -> None:
    lines = plain.audit(sample.audit(), Look(width=40)).splitlines()
    for finding in sample.findings():
        if finding.severity != Severity.INFO:
            for command in finding.remedy.commands:
                assert " " * 9 + command in lines


def test_every_finding_shows_all_that_a_person_needs() -> None:
    text = plain.audit(sample.audit(), Look(width=300))
    for finding in sample.findings():
        assert finding.id in text
        assert finding.title in text
        if finding.severity != Severity.INFO:
            assert finding.check in text
            assert finding.why in text
            assert finding.remedy.summary in text
            assert finding.remedy.caution in text
            assert all(evidence.where in text for evidence in finding.evidence)


def test_what_could_not_be_judged_says_why_and_how_to_mend_it() -> None:
    text = plain.audit(sample.audit(), Look(width=200))
    assert (
        "- the firewall: the ruleset could not be read, it needs root; run as root"
        "  [sample-firewall-absent]" in text
    )
    assert "1 suppressed by the policy. 2 could not be judged." in text


@pytest.mark.parametrize(("facts", "shown"), [(8, 8), (9, 9), (10, 8), (30, 8)])
def test_of_many_facts_the_first_are_shown_and_the_rest_counted(facts: int, shown: int) -> None:
    finding = replace(
        sample.audit().findings[0],
        evidence=tuple(Evidence(f"package-{number} waits") for number in range(facts)),
    )
    audit = replace(sample.audit(), findings=(finding,))
    text = plain.audit(audit, Look(width=100))
    assert text.count(" waits") == shown
    assert (f"and {facts - shown} more  [portward explain {finding.id}]" in text) == (facts > shown)
