from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

import build
from portward.report import Look, prometheus
from report import sample

Samples = dict[str, list[tuple[dict[str, str], float]]]


def parsed(text: str) -> Samples:
    return {
        family.name: [(dict(one.labels), one.value) for one in family.samples]
        for family in text_string_to_metric_families(text)
    }


def test_status(golden: Callable[[str, str], None]) -> None:
    golden("status.prom", prometheus.status(sample.case(), Look()))


def test_audit(golden: Callable[[str, str], None]) -> None:
    golden("audit.prom", prometheus.audit(sample.audit(), Look()))


def test_every_metric_has_help_and_type() -> None:
    text = prometheus.audit(sample.audit(), Look())
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type == "gauge"
        assert family.name.startswith("portward_")


def test_the_counts_are_those_of_the_machine() -> None:
    metrics = parsed(prometheus.audit(sample.audit(), Look()))
    assert sum(value for _, value in metrics["portward_listeners"]) == len(sample.exposures())
    exposed = {"protocol": "udp", "reach": "everyone", "verdict": "not allowed"}
    assert (exposed, 1) in metrics["portward_listeners"]
    assert metrics["portward_findings"] == [
        ({"severity": severity}, 1) for severity in ("critical", "high", "medium", "low", "info")
    ]
    assert metrics["portward_findings_suppressed"] == [({}, 1)]
    assert metrics["portward_undecided"] == [({}, 2)]
    assert metrics["portward_audit_timestamp_seconds"] == [({}, build.TAKEN.timestamp())]


def test_severities_without_findings_are_zero_so_that_alerts_end() -> None:
    metrics = parsed(prometheus.audit(sample.quiet_audit(), Look()))
    assert [value for _, value in metrics["portward_findings"]] == [0] * 5


def test_a_number_that_is_not_known_is_not_zero() -> None:
    metrics = parsed(prometheus.status(sample.blind_case(), Look()))
    assert "portward_listeners" not in metrics
    assert metrics["portward_listeners_known"] == [({}, 0)]
    assert parsed(prometheus.status(sample.empty_case(), Look()))["portward_listeners_known"] == [
        ({}, 1)
    ]


@pytest.mark.parametrize("subject", ['quo"te', "back\\slash", "line\nfeed", "\\n", "写真", "a\\"])
def test_labels_survive_the_parser(subject: str) -> None:
    finding = replace(sample.findings()[0], subject=subject)
    audit = replace(sample.quiet_audit(), findings=(finding,))
    [(labels, value)] = parsed(prometheus.audit(audit, Look()))["portward_finding"]
    assert (labels["subject"], labels["id"], value) == (subject, finding.id, 1)


@given(st.text(max_size=20))
def test_any_label_is_one_sample(subject: str) -> None:
    finding = replace(sample.findings()[0], subject=subject)
    audit = replace(sample.quiet_audit(), findings=(finding,))
    assert len(parsed(prometheus.audit(audit, Look()))["portward_finding"]) == 1
