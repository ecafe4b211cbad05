"""``portward verify`` and ``portward scan --diff`` through the real command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from portward.report import Look
from portward.report import json as format_json
from report import sample_scan

EXAMPLE = Path(__file__).parents[2] / "docs" / "example"
INSIDE = ("--snapshot", str(EXAMPLE / "web1-firewall.json"), "--role", "web-server")
OUTSIDE = ("--from-outside", str(EXAMPLE / "web1-outside.xml"))


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from portward.faces.cli import main; main()", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_saved_machine_and_a_saved_scan() -> None:
    done = run("verify", *INSIDE, *OUTSIDE, "--source", "203.0.113.9", "--format", "json")
    assert (done.returncode, done.stderr) == (1, "")
    found = {one["port"]: one["outcome"] for one in json.loads(done.stdout)["ports"]}
    assert found[80] == "exposed as intended"
    assert found[5432] == "open, though the rules say no"
    assert found[8080] == "exposed, not intended"
    assert found[22] == "closed as intended"


def test_the_source_decides_what_is_intended(tmp_path: Path) -> None:
    text = (EXAMPLE / "web1-outside.xml").read_text()
    ssh = text.replace('portid="5432"', 'portid="22"').replace('portid="8080"', 'portid="9"')
    (tmp_path / "scan.xml").write_text(ssh)
    done = run(
        *("verify", *INSIDE, "--from-outside", tmp_path / "scan.xml"),
        *("--source", "10.0.9.9", "--format", "json"),
    )
    found = {one["port"]: one for one in json.loads(done.stdout)["ports"]}
    assert found[22]["reach"] == "yes"
    assert found[9]["outcome"] == "open, though nothing listens"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (INSIDE, "a snapshot is the inside view alone"),
        ((*INSIDE, *OUTSIDE, "--source", "x"), '"x" is no address'),
        ((*INSIDE, *OUTSIDE, "--address", "10.0.0.10"), "--address has no meaning here"),
        ((*INSIDE, *OUTSIDE, "-p", "22"), "--ports has no meaning here"),
        (("--source", "203.0.113.9"), "--source has no meaning here"),
        (("--ssh", "a b"), '"a b" is no place for ssh'),
        ((*INSIDE, "--from-outside", "nowhere.json"), "cannot be read"),
        ((*INSIDE, "--from-outside", EXAMPLE / "README.md"), "no result of a scan"),
        ((*INSIDE, *OUTSIDE, "--format", "x"), 'verification has no format "x"'),
        ((*INSIDE, *OUTSIDE, "--source", "10.0.0.10"), "made on the machine itself"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(words: tuple[str, ...], says: str) -> None:
    done = run("verify", *words)
    assert done.returncode == 2, done.stdout
    assert done.stdout == ""
    assert done.stderr.startswith("portward: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_the_difference_of_two_scans(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    before = sample_scan.scan()
    host = before.hosts[0]
    after = replace(before, hosts=(replace(host, ports=host.ports[1:]), *before.hosts[1:]))
    old.write_text(format_json.scan(before, Look()))
    new.write_text(format_json.scan(after, Look()))
    assert run("scan", "--diff", old, old).returncode == 0
    done = run("scan", "--diff", old, new, "--format", "json")
    assert done.returncode == 1, done.stderr
    (change,) = json.loads(done.stdout)["changes"]
    assert (change["port"], change["before"], change["after"]) == (
        22,
        ["open"],
        ["closed", "filtered"],
    )
    assert run("scan", "--diff", old, EXAMPLE / "web1-outside.xml").returncode == 3
    assert run("scan", "192.0.2.1", "--diff", old, new).returncode == 2
