import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

import build
from portward.model.case import Case
from portward.model.finding import Audit
from portward.model.unknown import NEEDS_ROOT
from portward.report import Look
from portward.report import json as format_json
from report import sample

ROOT = Path(__file__).parents[2]


def status(case: Case) -> Any:
    return json.loads(format_json.status(case, Look()))


def audit(audit: Audit) -> Any:
    return json.loads(format_json.audit(audit, Look()))


def test_status(golden: Callable[[str, str], None]) -> None:
    golden("status.json", format_json.status(sample.case(), Look()))


def test_audit(golden: Callable[[str, str], None]) -> None:
    golden("audit.json", format_json.audit(sample.audit(), Look()))


def test_explain(golden: Callable[[str, str], None]) -> None:
    text = format_json.explain(sample.explanation(), Look())
    golden("explain.json", text)
    schema = format_json.schema("explanation")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(text))


@pytest.mark.parametrize(
    "case", [sample.case(), sample.quiet_case(), sample.blind_case(), sample.empty_case()]
)
def test_status_follows_its_schema(case: Case) -> None:
    schema = format_json.schema("status")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(status(case))


@pytest.mark.parametrize("value", [sample.audit(), sample.quiet_audit(), sample.blind_audit()])
def test_audit_follows_its_schema(value: Audit) -> None:
    schema = format_json.schema("audit")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(audit(value))


@pytest.mark.parametrize("document", format_json.documents())
def test_the_schema_asks_for_every_field(document: str) -> None:
    for name, kind in format_json.schema(document)["$defs"].items():
        if kind.get("type") == "object":
            assert set(kind["required"]) == set(kind["properties"]), name
            assert all(field.get("description") for field in kind["properties"].values()) or (
                name == "UnknownFact"
            )


def test_the_schema_refuses_null_for_unknown() -> None:
    document = status(sample.case())
    document["listeners"] = None
    assert not Draft202012Validator(format_json.schema("status")).is_valid(document)
    document["listeners"] = [{}]
    assert not Draft202012Validator(format_json.schema("status")).is_valid(document)


def test_the_published_schema_and_page_are_those_of_the_types(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, ROOT / "scripts/json_docs.py", tmp_path],
        env={"PYTHONPATH": str(ROOT / "src")},
        check=True,
    )
    schemas = [f"schema/{name}.json" for name in format_json.documents()]
    for name in ("json.md", *schemas):
        assert (tmp_path / name).read_text() == (ROOT / "docs" / name).read_text(), (
            "run: python scripts/json_docs.py"
        )


def test_each_listener_is_listed_with_whose_it_is() -> None:
    listeners = status(sample.case())["listeners"]
    assert len(listeners) == len(sample.exposures())
    web = listeners[0]
    assert (web["protocol"], web["address"], web["port"], web["service"]) == (
        "tcp",
        "0.0.0.0",
        80,
        "http",
    )
    assert web["process"]["exe"] == "/usr/sbin/nginx"
    assert web["allowed_by"]["origin"] == "role web-server"
    by_port = {one["port"]: one for one in listeners}
    assert by_port[8080]["process"]["cmdline"] == "/usr/bin/python3.11 '/srv/a b/app.py'"
    assert by_port[23]["inetd"]["program"] == "/usr/sbin/in.telnetd"
    assert by_port[22]["activates"] == "ssh.service"


def test_kernel_none_and_unknown_owners_are_told_apart() -> None:
    by_port = {one["port"]: one for one in status(sample.case())["listeners"]}
    assert by_port[2049]["process"] == {"kernel": "nfsd"}
    assert by_port[111]["process"] == {"unknown": "needs root"}
    assert by_port[111]["unit"] == {"unknown": "needs root"}
    assert by_port[3]["process"] is None
    assert by_port[3]["unit"] is None


def test_unknown_ports_are_not_an_empty_list() -> None:
    assert status(sample.blind_case())["listeners"] == {
        "unknown": "sock_diag is not in this kernel"
    }
    assert status(sample.empty_case())["listeners"] == []


def test_facts_of_a_process_that_are_hidden_are_unknown() -> None:
    hidden = replace(build.process(), exe=NEEDS_ROOT, exe_state=NEEDS_ROOT)
    case = build.case(build.exposure(build.listener(process=hidden)))
    process = status(case)["listeners"][0]["process"]
    assert process["exe"] == process["exe_state"] == {"unknown": "needs root"}
    assert Draft202012Validator(format_json.schema("status")).is_valid(status(case))


def test_the_finding_carries_its_listener_as_status_shows_it() -> None:
    document = audit(sample.audit())
    telnet = next(one for one in document["findings"] if "telnet" in one["title"])
    assert telnet["listener"] in status(sample.case())["listeners"]
    settings = next(one for one in document["findings"] if one["severity"] == "low")
    assert settings["listener"] is None
    assert document["summary"] == {
        "critical": 1,
        "high": 1,
        "medium": 1,
        "low": 1,
        "info": 1,
        "suppressed": 1,
        "undecided": 2,
    }


def test_a_document_is_safe_in_a_terminal_and_loses_nothing() -> None:
    evil = "a\x1b[2J\x9b\u202e\u2028\x7f\U000e0041é写"
    case = build.case(build.exposure(build.listener(unit=evil)))
    text = format_json.status(case, Look())
    assert all(line.isprintable() for line in text.splitlines())
    assert json.loads(text)["listeners"][0]["unit"] == evil
    assert "é写" in text
