"""``scripts/run_documents.py`` notices what it is there to notice."""

from pathlib import Path

import pytest
from scripts import run_documents
from scripts.run_documents import Example, NotRunnableError, difference, examples, shown_anew

PAGE = """\
# Page
```console
$ portward --version
portward 9

$ portward nothing
$ echo $?
2
```
`$ portward inline`
<!-- not run: a reason -->
```console
$ rm -rf important
```
```toml
$ portward no-console
```
"""


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a tree of documents that main() will look at, with docs/ and no README yet."""
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(run_documents, "ROOT", tmp_path)
    monkeypatch.delenv("PORTWARD_GOLDEN", raising=False)
    return tmp_path / "README.md"


def test_commands_and_their_output_are_found() -> None:
    assert list(examples(PAGE.splitlines())) == [
        Example(3, "portward --version", ["portward 9", ""]),
        Example(6, "portward nothing", []),
        Example(7, "echo $?", ["2"]),
    ]


@pytest.mark.parametrize(
    ("shown", "same"),
    [
        ([], True),
        (["a", "b", "c"], True),
        (["a", "b"], False),
        (["a", "..."], True),
        (["...", "c"], True),
        (["a", "...", "c"], True),
        (["a", "b", "...", "c"], True),
        (["a", "b", "...", "b", "c"], False),
        (["b", "...", "c"], False),
        (["a", "...", "b"], False),
    ],
)
def test_shown_output_is_compared_to_the_letter(shown: list[str], *, same: bool) -> None:
    assert (difference(shown, ["a", "b", "c"]) is None) == same


def test_new_output_leaves_out_as_much_as_before() -> None:
    assert shown_anew([], ["a"]) == []
    assert shown_anew(["x"], ["a", "b"]) == ["a", "b"]
    assert shown_anew(["x", "...", "y"], ["a", "b", "c"]) == ["a", "...", "c"]
    assert shown_anew(["x", "..."], ["a", "b", "c"]) == ["a", "..."]


@pytest.mark.parametrize("command", ["rm -rf x", "portward | head", "portward > file"])
def test_nothing_but_portward_is_run(command: str, tmp_path: Path) -> None:
    with pytest.raises(NotRunnableError):
        run_documents.run(command, tmp_path)


@pytest.mark.parametrize(
    ("block", "status"),
    [
        ("$ sudo portward --version\n", 0),
        ("$ portward explain telnet\nservice telnet\n...\n", 0),
        ("$ portward explain telnet\nservice ssh\n...\n", 1),
        ("$ portward explain no-such-thing\n", 1),
        ("$ portward explain no-such-thing\n$ echo $?\n2\n", 0),
        ("$ portward explain telnet\n$ echo $?\n1\n", 1),
        ("$ ls\n", 1),
    ],
)
def test_a_document_passes_or_not(block: str, status: int, check: Path) -> None:
    check.write_text(f"```console\n{block}```\n")
    assert run_documents.main() == status


def test_screens_are_written_anew_but_never_a_failure(
    check: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTWARD_GOLDEN", "write")
    check.write_text(
        "```console\n$ portward explain telnet\nx\n...\n$ portward --nothing\nx\n```\n"
    )
    assert run_documents.main() == 1
    lines = check.read_text().splitlines()
    assert lines[2:4] == ["service telnet", "..."]
    assert lines[4:] == ["$ portward --nothing", "x", "```"]
