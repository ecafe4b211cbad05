"""Each folder is a machine: its snapshot, its policy, and what the audit must say of it.

After a change that is meant: ``PORTWARD_GOLDEN=write pytest tests/cases``, and read the diff.
"""

import os
from datetime import date
from pathlib import Path

import pytest

from portward import flow
from portward.checks import judge
from portward.model import snapshots
from portward.model.finding import Audit

HERE = Path(__file__).parent
CASES = sorted(folder.name for folder in HERE.iterdir() if (folder / "snapshot.json").exists())
DAY = date(2026, 1, 15)


def audit(name: str) -> Audit:
    snapshot = flow.read_snapshot(HERE / name / "snapshot.json")
    return judge(flow.case(snapshot, day=DAY, policy_file=HERE / name / "policy.toml"))


def written(audit: Audit) -> str:
    lines = []
    for finding in audit.findings:
        lines += [
            f"{finding.severity} {finding.confidence} {finding.check}: {finding.subject}",
            f"    {finding.title}",
            f"    {finding.remedy.summary}",
            *(f"    # {command}" for command in finding.remedy.commands),
        ]
    lines += [f"accepted {one.finding.check}: {one.finding.subject}" for one in audit.suppressed]
    for one in audit.undecided:
        lines += [f"undecided {one.check}: {one.subject}", f"    {one.reason}", f"    {one.mend}"]
    return "\n".join(lines).replace(str(HERE), ".") + "\n"


@pytest.mark.parametrize("name", CASES)
def test_findings_are_as_written(name: str) -> None:
    golden = HERE / name / "findings.txt"
    text = written(audit(name))
    if os.environ.get("PORTWARD_GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("name", CASES)
def test_every_finding_has_its_own_id(name: str) -> None:
    ids = [finding.id for finding in audit(name).findings]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", CASES)
def test_the_snapshot_is_written_as_portward_writes_it(name: str) -> None:
    file = HERE / name / "snapshot.json"
    assert snapshots.encode(snapshots.decode(file.read_bytes(), name)) == file.read_bytes()


def test_there_are_cases() -> None:
    assert {"clean", "crowded"} <= set(CASES)
