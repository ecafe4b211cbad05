"""The command line: finds the command, runs it, and turns its outcome into an exit status."""

import argparse
import errno
import gc
import os
import sys
from importlib import import_module
from typing import NoReturn, Protocol

from portward import __version__
from portward.faces.exit_status import Exit

DESCRIPTION = "Closes every port a machine's role does not need, and proves it."
EXIT_STATUSES = (
    "exit status: 0 nothing wrong, 1 findings, 2 bad usage or bad input, "
    "3 could not tell enough to judge"
)
COMMANDS = {
    "status": "show every open port: service, program, unit, package, and who can reach it",
    "audit": "find what is open, enabled or set that the machine's role does not need",
    "init": "write a policy for one or more roles",
    "reach": "say who can reach a port, and which rules decide; also offline, and for two rulesets",
    "plan": "say what to change so that nothing is open but what the policy allows",
    "apply": "do what the plan says; it is taken back unless you confirm it",
    "confirm": "keep what was applied",
    "rollback": "take back what was applied",
    "history": "list what was applied, by whom, when, why, and what it changed",
    "scan": "look at hosts from outside: which ports are open, closed, filtered or refused",
    "verify": "prove from outside that nothing is open but what the policy allows",
    "explain": "explain a port, a service, a role, a check or a finding",
    "snapshot": "save everything known about this machine, to be judged later or elsewhere",
}
"""Each is a module of portward.faces.commands, imported when it is called."""
DEFAULT = "status"
ABOUT_PORTWARD = {"-h", "--help", "--version"}
INTERRUPTED = 130
PIPE_CLOSED = 141
"""128 + SIGINT and 128 + SIGPIPE, as a shell reports them."""

STDOUT = 1
_NO_OUTPUT = {errno.EBADF, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""How a write to standard output fails: closed, or a file on a disk that is full or broken."""


class Command(Protocol):
    """What a module of portward.faces.commands offers."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's own options."""

    def run(self, arguments: argparse.Namespace) -> Exit:
        """Do it; may raise PortwardError."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and where to read more."""

    def error(self, message: str) -> NoReturn:
        self.exit(Exit.BAD_INPUT, f'{self.prog}: {message} (see "{self.prog} --help")\n')


def main() -> NoReturn:
    """Run the command that the process was started with, and exit."""
    # A command lives for a moment and makes next to no cycles; looking for them through thousands
    # of listeners took a tenth of its time. freeze() spares the exit the same search.
    gc.disable()
    if sys.__stdout__ is None:
        sys.exit(_failed(OSError(errno.EBADF, os.strerror(errno.EBADF))))
    try:
        status: int = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()  # the reader has seen enough: "portward status | head"
        status = PIPE_CLOSED
    except KeyboardInterrupt:
        status = INTERRUPTED
    except Exception as error:
        if os.environ.get("PORTWARD_TRACEBACK"):
            raise
        status = _failed(error)
    gc.freeze()
    sys.exit(status)


def _failed(error: Exception) -> Exit:
    """Say in one line why nothing came of it."""
    if isinstance(error, OSError) and error.errno in _NO_OUTPUT:
        _complain(f"the output cannot be written: {error.strerror}")
        _discard_output()
        return Exit.BAD_INPUT
    # Python's own exit status for a crash is 1, which would say "findings".
    _complain(
        f"this is a mistake in portward: {type(error).__name__}: {error}"
        " (PORTWARD_TRACEBACK=1 shows where; please report it)"
    )
    return Exit.COULD_NOT_TELL


def _discard_output() -> None:
    """Keep the interpreter, which flushes once more at exit, from complaining again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)


def run(words: list[str]) -> Exit:
    """Run one command line; its first word is the command, "status" where it is left out."""
    if not words or (words[0].startswith("-") and words[0] not in ABOUT_PORTWARD):
        words = [DEFAULT, *words]
    parser = _Parser(
        prog="portward", description=DESCRIPTION, epilog=EXIT_STATUSES, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"portward {__version__}")
    choices = parser.add_subparsers(
        metavar="COMMAND",
        title="commands",
        parser_class=_Parser,
        prog=parser.prog,  # or argparse formats a usage line to learn it, for which it loads shutil
    )
    for name, summary in COMMANDS.items():
        below = choices.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=EXIT_STATUSES,
        )
        if name == words[0]:
            command: Command = import_module(f"portward.faces.commands.{name}")
            command.options(below)
            below.set_defaults(command=command)
    arguments = parser.parse_args(words)
    return _carry_out(arguments.command, arguments)


def _carry_out(command: Command, arguments: argparse.Namespace) -> Exit:
    from portward.model.errors import PortwardError  # noqa: PLC0415 - --version needs no models

    try:
        return command.run(arguments)
    except PortwardError as error:
        _complain(str(error))
        return Exit.BAD_INPUT


def _complain(message: str) -> None:
    from portward.model.words import printable  # noqa: PLC0415 - only when something is wrong

    print(f"portward: {printable(message)}", file=sys.stderr)  # noqa: T201 - stderr is its place
