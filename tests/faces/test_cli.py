"""The command line as a person or a script meets it: through the real process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MAIN = "from portward.faces.cli import main; main()"
SOURCE = Path(__file__).parents[2] / "src"
EXAMPLE = Path(__file__).parents[1] / "cases/crowded/snapshot.json"


def portward(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
    )


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    """Return the error: one line, no traceback, nothing on the standard output."""
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr.rstrip("\n")


def test_the_version() -> None:
    assert portward("--version").stdout.startswith("portward 0.")


def test_status_is_the_default() -> None:
    words = ("--snapshot", str(EXAMPLE), "--role", "web-server")
    assert portward(*words).stdout == portward("status", *words).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sttus",), "portward: argument COMMAND: invalid choice: 'sttus'"),
        (("status", "--nonsense"), "unrecognized arguments: --nonsense"),
        (
            ("audit", "--role", "web-sever"),
            'there is no role "web-sever" (did you mean "web-server"?)',
        ),
        (("audit", "--format", "pdf"), 'audit has no format "pdf" (choose from: '),
        (
            ("audit", "--snapshot", "/nowhere/at/all"),
            "/nowhere/at/all: cannot be read: No such file",
        ),
        (("audit", "--policy", "/nowhere/at/all"), "/nowhere/at/all: cannot be read: No such file"),
        (("audit", "--root", "/nowhere/at/all"), "--root /nowhere/at/all: is no directory"),
        (("explain", "13x7/udp"), "13x7/udp"),
        (("init",), "no role is named"),
        (("init", "--role", "web-server", "--profile", "moon"), "invalid choice: 'moon'"),
    ],
)
def test_a_wrong_line_is_answered_with_one_line(words: tuple[str, ...], message: str) -> None:
    result = portward(*words)
    assert result.returncode == 2
    assert message in one_line(result)


def test_a_snapshot_comes_through_a_pipe() -> None:
    line = f"cat {EXAMPLE} | {sys.executable} -c '{MAIN}' status --snapshot -"
    result = subprocess.run(
        ["sh", "-c", line],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert result.stdout == portward("status", "--snapshot", str(EXAMPLE)).stdout


def test_a_suppression_of_no_check_is_a_mistake(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'roles = ["web-server"]\n[[suppress]]\n'
        'finding = "raw-sockets"\nreason = "known"\nuntil = 2099-01-01\n'
    )
    line = one_line(portward("audit", "--snapshot", str(EXAMPLE), "--policy", str(policy)))
    assert f"{policy}:2: suppress[0].finding: there is no check" in line
    assert 'did you mean "raw-socket"?' in line


def test_names_are_explained_in_any_case() -> None:
    for one, other in (("TELNET", "telnet"), ("Role", "role"), ("Web-Server", "web-server")):
        assert portward("explain", one).stdout == portward("explain", other).stdout
    assert portward("explain", "TELNET").returncode == 0


def test_what_a_file_says_cannot_drive_the_terminal(tmp_path: Path) -> None:
    name = tmp_path / "\x1b[31mred.toml"
    name.write_text("roles = [")
    line = one_line(portward("audit", "--snapshot", str(EXAMPLE), "--policy", str(name)))
    assert "\x1b" not in line
    assert r"\x1b[31mred.toml:1" in line


@pytest.mark.root
def test_a_machine_without_proc_is_not_taken_for_a_quiet_one() -> None:
    script = f"umount -l /proc && exec {sys.executable} -c '{MAIN}' status"
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert result.returncode == 2
    assert "/proc is not mounted" in one_line(result)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (">/dev/full", "the output cannot be written: No space left on device"),
        (">&-", "the output cannot be written: Bad file descriptor"),
    ],
)
def test_an_output_that_cannot_be_written_is_no_crash(words: str, message: str) -> None:
    line = f"exec {sys.executable} -c '{MAIN}' status --snapshot {EXAMPLE} {words}"
    result = subprocess.run(
        ["sh", "-c", line],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert result.returncode == 2
    assert message in one_line(result)


def test_findings_make_the_exit_status(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('roles = ["web-server"]\n')
    result = portward("audit", "--snapshot", str(EXAMPLE), "--policy", str(policy))
    assert result.returncode == 1
    assert "23/tcp" in result.stdout
    assert result.stderr == ""


def test_a_mistake_of_our_own_never_looks_like_findings() -> None:
    broken = "import portward.flow; portward.flow.read_snapshot = None; " + MAIN
    result = subprocess.run(
        [sys.executable, "-c", broken, "status", "--snapshot", str(EXAMPLE)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert result.returncode == 3
    assert "mistake in portward" in one_line(result)


def test_a_reader_that_leaves_early_gets_no_complaint() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "snapshot", "--schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 141


def test_a_saved_snapshot_is_only_for_its_owner_and_never_replaced_by_chance(
    tmp_path: Path,
) -> None:
    file = tmp_path / "new" / "machine.json"
    assert portward("snapshot", "--snapshot", str(EXAMPLE), "--output", str(file)).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    again = portward("snapshot", "--snapshot", str(EXAMPLE), "--output", str(file))
    assert again.returncode == 2
    assert "exists already (replace it with --force)" in one_line(again)
    forced = portward("snapshot", "--snapshot", str(EXAMPLE), "--output", str(file), "--force")
    assert forced.returncode == 0
    assert [path.name for path in file.parent.iterdir()] == ["machine.json"]
    assert json.loads(file.read_text()) == json.loads(EXAMPLE.read_text())


def test_a_written_policy_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    words = ("--role", "web-server", "--admin-from", "203.0.113.0/24", "--output", str(file))
    made = portward("init", *words, "--snapshot", str(EXAMPLE))
    assert made.returncode == 0, made.stderr
    result = portward("audit", "--snapshot", str(EXAMPLE), "--policy", str(file))
    assert result.returncode == 1
    assert str(file) in result.stdout


def test_a_guess_gives_reasons_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    result = portward("init", "--guess", "--snapshot", str(EXAMPLE), "--output", str(file))
    assert result.returncode == 0
    assert "because:" in result.stdout
    assert not file.exists()


def test_a_finding_is_explained_by_its_id() -> None:
    judged = ("--snapshot", str(EXAMPLE), "--role", "web-server")
    audit = json.loads(portward("audit", *judged, "--format", "json").stdout)
    finding = audit["findings"][0]
    result = portward("explain", finding["id"].lower(), *judged)
    assert result.returncode == 0
    assert finding["title"] in result.stdout
    missing = portward("explain", "PW-00000000", *judged)
    assert missing.returncode == 2
    assert "has no finding" in one_line(missing)


@pytest.mark.parametrize(
    "topic", ["137/udp", "telnet", "role web-server", "check open-not-allowed", "service http"]
)
def test_every_kind_of_topic_is_explained(topic: str) -> None:
    result = portward("explain", *topic.split())
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) > 3


def test_this_machine_is_surveyed_whoever_asks() -> None:
    answer = json.loads(portward("status", "--role", "isolated", "--format", "json").stdout)
    assert answer["schema"] == "portward-status/1"
