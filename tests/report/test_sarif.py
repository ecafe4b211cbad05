"""What SARIF 2.1.0 (OASIS, sections 3.13 to 3.58) and code scanning ask of a log."""

import json
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

import build
from portward.checks import checks
from portward.model.finding import Audit, Evidence
from portward.report import Look, sarif
from report import sample


def run(audit: Audit) -> Any:
    log = json.loads(sarif.audit(audit, Look()))
    assert log["version"] == "2.1.0"
    [only] = log["runs"]
    return only


def test_audit(golden: Callable[[str, str], None]) -> None:
    golden("audit.sarif", sarif.audit(sample.audit(), Look()))


def test_every_result_points_at_its_rule() -> None:
    one = run(sample.audit())
    rules = one["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert len(one["results"]) == len(sample.findings()) + 1
    for result in one["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["level"] in {"error", "warning", "note"}


def test_fingerprints_are_the_ids_of_the_findings() -> None:
    results = run(sample.audit())["results"]
    prints = [result["partialFingerprints"]["portward/v1"] for result in results]
    assert prints[: len(sample.findings())] == [one.id for one in sample.findings()]
    assert len(set(prints)) == len(prints)


def test_a_listener_is_a_logical_location_and_a_file_a_related_one() -> None:
    telnet = run(sample.audit())["results"][1]
    [place] = telnet["locations"][0]["logicalLocations"]
    assert place["name"] == "23/tcp on all addresses (IPv4)"
    assert place["fullyQualifiedName"] == "web1/23/tcp telnet"
    [related] = telnet["relatedLocations"]
    assert related["physicalLocation"] == {
        "artifactLocation": {"uri": "file:///etc/inetd.conf"},
        "region": {"startLine": 12},
    }


def test_paths_are_written_as_uris() -> None:
    [finding] = sample.findings()[1:2]
    evidence = (
        Evidence(text="a", where="/etc/a b#é%.conf:0"),
        Evidence(text="b", where="sock_diag"),
        Evidence(text="c", where=""),
    )
    audit = replace(sample.quiet_audit(), findings=(replace(finding, evidence=evidence),))
    [related] = run(audit)["results"][0]["relatedLocations"]
    assert related["physicalLocation"] == {
        "artifactLocation": {"uri": "file:///etc/a%20b%23%C3%A9%25.conf"}
    }


def test_an_accepted_finding_is_a_suppressed_result() -> None:
    results = run(sample.audit())["results"]
    assert [bool(result.get("suppressions")) for result in results] == [False] * 5 + [True]
    [suppression] = results[-1]["suppressions"]
    assert suppression["status"] == "accepted"
    assert "until the VPN is ready" in suppression["justification"]


def test_what_could_not_be_told_is_a_notification() -> None:
    [invocation] = run(sample.audit())["invocations"]
    notes = invocation["toolExecutionNotifications"]
    assert [note.get("associatedRule", {}).get("id") for note in notes] == [
        "sample-firewall-absent",
        "sample-unowned-port",
        None,
        None,
    ]
    assert run(sample.quiet_audit())["invocations"][0]["toolExecutionNotifications"] == []


def test_a_real_check_brings_its_documentation() -> None:
    for check in checks().values():
        audit = replace(sample.quiet_audit(), checks=(check.id,))
        [rule] = run(audit)["tool"]["driver"]["rules"]
        assert rule["shortDescription"]["text"] == check.title
        assert rule["fullDescription"]["text"]
        assert check.id in rule["help"]["text"]


def test_the_same_finding_on_two_machines_has_two_places() -> None:
    other = build.case(machine=build.machine(hostname="web2"))
    finding = sample.findings()[0]
    audits = (
        replace(sample.quiet_audit(), findings=(finding,), case=case)
        for case in (sample.quiet_case(), other)
    )
    first, second = (run(audit) for audit in audits)
    assert first["results"][0]["locations"] != second["results"][0]["locations"]
    assert first["automationDetails"] != second["automationDetails"]
