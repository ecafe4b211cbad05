"""Run every command of README.md and docs/, and compare what it prints: part of ``./dev check``.

A block marked ``console`` holds commands after ``$ `` and below each what it prints:

- No output shown: the command has to work. One line ``...``: any number of lines was left out.
  Everything else is compared to the letter.
- Exit statuses 0, 1 and 3 are fine; 2, a crash and a traceback are not. ``$ echo $?`` after a
  command shows its status, which is then the one it must have.
- ``<!-- not run: REASON -->`` on the line before a block: nothing in it is run.

Commands run as the present user, in a terminal of WIDTH columns without colour, in an empty
folder with links to docs/ and the launcher. ``PORTWARD_GOLDEN=write`` writes the shown output anew.
"""

import difflib
import fcntl
import os
import pty
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 96
"""As many columns as GitHub shows of a code block without a scroll bar."""
SECONDS = 60
PROMPT = "$ "
LEFT_OUT = "..."
STATUS = "echo $?"
GOOD = {0, 1, 3}
LAUNCHER = f"""\
#!/bin/sh
exec {shlex.quote(sys.executable)} -c 'from portward.faces.cli import main; main()' "$@"
"""


class Example(NamedTuple):
    """A command of a document and the lines that the document shows below it."""

    line: int
    """Index of the first line of the output."""
    command: str
    shown: list[str]


class Outcome(NamedTuple):
    """What a command did."""

    status: int
    printed: list[str]


class NotRunnableError(Exception):
    """The document shows a command that this script cannot run and does not mark as not run."""


def examples(lines: list[str]) -> Iterator[Example]:
    """Find the commands of a document, in order."""
    inside = False
    example: Example | None = None
    for number, line in enumerate(lines):
        if line.startswith("```"):
            if example:
                yield example
                example = None
            marked = number > 0 and lines[number - 1].startswith("<!-- not run: ")
            inside = line == "```console" and not inside and not marked
        elif inside and line.startswith(PROMPT):
            if example:
                yield example
            example = Example(number + 1, line.removeprefix(PROMPT), [])
        elif example:
            example.shown.append(line)


def run(command: str, folder: Path) -> Outcome:
    """Run a portward command in the folder, in a terminal."""
    words = shlex.split(command.removeprefix("sudo "))
    if words[0] not in {"portward", "./portward"} or {"|", ">", "<", "&&", ";"} & {*words}:
        raise NotRunnableError("only portward is run; mark the block with <!-- not run: REASON -->")
    ours, theirs = _terminal()
    with (
        subprocess.Popen(  # noqa: S603 - a command of our own documents
            [folder / "portward", *words[1:]],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "LC_ALL": "C.UTF-8",
                "NO_COLOR": "1",
                "TERM": "xterm",
                "TZ": "UTC",
                "PORTWARD_TRACEBACK": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        ) as process
    ):
        os.close(theirs)
        limit = threading.Timer(SECONDS, process.kill)
        limit.start()
        printed = _read(ours)
        limit.cancel()
        os.close(ours)
        return Outcome(process.wait(), printed.decode().splitlines())


def failure(outcome: Outcome, *, status_is_shown: bool) -> str | None:
    """Say what is wrong with the outcome, whatever the document shows."""
    if any(line.startswith("Traceback (most recent call last)") for line in outcome.printed):
        return "\n".join(outcome.printed)
    if outcome.status not in GOOD and not status_is_shown:
        return "\n".join([f"exit status {outcome.status}", *outcome.printed])
    return None


def difference(shown: list[str], printed: list[str]) -> str | None:
    """Say in what the document shows something else than the command printed."""
    if not shown or _matches(shown, printed):
        return None
    return "\n".join(difflib.unified_diff(shown, printed, "document", "printed", lineterm=""))


def shown_anew(shown: list[str], printed: list[str]) -> list[str]:
    """Return what the document has to show, with as much left out as before."""
    if LEFT_OUT not in shown:
        return printed if shown else []
    head, tail = _around(shown)
    return [*printed[: len(head)], LEFT_OUT, *printed[len(printed) - len(tail) :]]


def main() -> int:
    """Run all documents; print each problem, and return 1 where there is one."""
    rewrite = os.environ.get("PORTWARD_GOLDEN") == "write"
    problems = 0
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        with tempfile.TemporaryDirectory(prefix="portward-documents-") as name:
            folder = Path(name)
            (folder / "docs").symlink_to(ROOT / "docs")
            launcher = folder / "portward"
            launcher.write_text(LAUNCHER)
            launcher.chmod(0o755)
            problems += _run_document(document, folder, rewrite=rewrite)
    return 1 if problems else 0


def _run_document(document: Path, folder: Path, *, rewrite: bool) -> int:
    """Run the commands of one document in one folder; return how many have a problem."""
    lines = document.read_text("utf-8").splitlines()
    todo = list(examples(lines))
    problems = 0
    changes: list[tuple[Example, list[str]]] = []
    status = 0
    for position, example in enumerate(todo):
        if example.command == STATUS:
            wrong = difference(example.shown, [str(status)])
        else:
            following = todo[position + 1].command if position + 1 < len(todo) else ""
            try:
                outcome = run(example.command, folder)
            except NotRunnableError as error:
                wrong = str(error)
            else:
                status = outcome.status
                wrong = failure(outcome, status_is_shown=following == STATUS)
                if not wrong and rewrite:
                    changes.append((example, shown_anew(example.shown, outcome.printed)))
                elif not wrong:
                    wrong = difference(example.shown, outcome.printed)
        if wrong:
            problems += 1
            where = f"{document.relative_to(ROOT)}:{example.line}"
            sys.stdout.write(f"{where}: {example.command}\n{wrong}\n\n")
    for example, output in reversed(changes):
        lines[example.line : example.line + len(example.shown)] = output
    if changes:
        document.write_text("\n".join(lines) + "\n", "utf-8")
    return problems


def _matches(shown: list[str], printed: list[str]) -> bool:
    if LEFT_OUT not in shown:
        return shown == printed
    head, tail = _around(shown)
    if len(printed) < len(head) + len(tail):
        return False
    return printed[: len(head)] == head and printed[len(printed) - len(tail) :] == tail


def _around(shown: list[str]) -> tuple[list[str], list[str]]:
    """Split what is shown at what is left out."""
    place = shown.index(LEFT_OUT)
    return shown[:place], shown[place + 1 :]


def _terminal() -> tuple[int, int]:
    """Open a terminal of the width, whose lines end as they were written."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
    modes = termios.tcgetattr(theirs)
    modes[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    return ours, theirs


def _read(terminal: int) -> bytes:
    """Read until everyone has closed the other end, which Linux reports as EIO."""
    parts = []
    try:
        while part := os.read(terminal, 1 << 16):
            parts.append(part)
    except OSError:
        pass
    return b"".join(parts)


if __name__ == "__main__":
    sys.exit(main())
