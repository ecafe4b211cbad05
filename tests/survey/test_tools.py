import pytest

from portward.survey import tools
from portward.survey.tools import ToolError, output


def test_output_of_a_tool_in_its_own_language_without_our_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LD_PRELOAD", "/nowhere.so")
    lines = output(["env"], seconds=10).decode().splitlines()
    assert sorted(lines) == ["HOME=/", "LC_ALL=C", f"PATH={tools.PATH}"]


def test_tool_reads_nothing() -> None:
    assert output(["cat"], seconds=10) == b""


def test_tool_is_not_looked_for_where_the_caller_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert output(["echo", "found"], seconds=10) == b"found\n"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["portward-no-such-tool"], "no portward-no-such-tool on this machine"),
        (["/nowhere/tool"], "no tool on this machine"),
        (["false"], "false failed with exit status 1"),
    ],
)
def test_failure_is_a_clause(command: list[str], reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        output(command, seconds=10)


def test_other_statuses_may_be_good() -> None:
    assert output(["false"], seconds=10, good=(0, 1)) == b""


def test_tool_that_takes_too_long_is_ended() -> None:
    with pytest.raises(ToolError, match=r"sleep took longer than 0\.2 s"):
        output(["sleep", "60"], seconds=0.2)


def test_tool_that_says_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "MAX_BYTES", 3 << 20)
    with pytest.raises(ToolError, match="yes said more than 3 MiB"):
        output(["yes"], seconds=30)
