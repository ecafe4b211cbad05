"""portward on another machine, run over SSH with the person's own ssh and its settings.

Nothing is installed there, and no password goes through here: the person's agent or keys have to
let them in without being asked.
"""

import re
import shlex
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from typing import IO

from portward.model.errors import UsageError

MAX_BYTES = 256 << 20
_SECONDS = 900
"""A scan of every port of a silent host takes minutes."""
_LINES, _LINE_BYTES = 20, 400
"""Kept of what it complains of."""
_NOT_FOUND, _FAILED = 127, 255
"""Exit status of a shell that knows no such command, and of ssh itself (ssh(1))."""
_READ = frozenset({0, 1, 3})
"""Exit statuses of portward with which it has answered."""
_DESTINATION = re.compile(r"(?:[A-Za-z0-9_.][\w.-]*@)?(?:[A-Za-z0-9_.][\w.:-]*|\[[0-9A-Fa-f:.]+\])")


def run(destination: str, words: Sequence[str]) -> bytes:
    """Run ``portward WORDS`` on user@host and return what it prints; raise UsageError."""
    if not _DESTINATION.fullmatch(destination):
        raise UsageError(f'"{destination}" is no place for ssh', mend="write it like root@web1")
    # ssh joins words with spaces and gives them to a shell there, so each is quoted for it.
    command = [
        "ssh",
        "-o",
        "BatchMode=yes",
        "-T",
        "--",
        destination,
        shlex.join(["portward", *words]),
    ]
    try:
        with subprocess.Popen(  # noqa: S603 - no shell here, and see above
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            return _answer(process, destination)
    except FileNotFoundError:
        raise UsageError("needs the command ssh", mend="install openssh-client") from None


def _answer(process: subprocess.Popen[bytes], destination: str) -> bytes:
    """Read what it prints, up to the limits; it is over when this returns."""
    assert process.stdout  # noqa: S101 - run() asked for both
    assert process.stderr  # noqa: S101
    late = threading.Event()
    complaints: deque[bytes] = deque(maxlen=_LINES)

    def end() -> None:
        late.set()
        process.kill()

    clock = threading.Timer(_SECONDS, end)
    listening = threading.Thread(target=_keep_last, args=(process.stderr, complaints))
    clock.start()
    listening.start()
    try:
        printed = process.stdout.read(MAX_BYTES + 1)
        if len(printed) > MAX_BYTES:
            process.kill()
        status = process.wait()
    finally:
        clock.cancel()
        process.kill()
        listening.join()
    if late.is_set():
        raise UsageError(f"took longer than {_SECONDS} s", where=destination)
    if len(printed) > MAX_BYTES:
        raise UsageError(f"printed more than {MAX_BYTES >> 10:,} KiB", where=destination)
    if status in _READ:
        return printed
    said = complaints[-1].decode("utf-8", "replace") if complaints else f"ended with {status}"
    if status == _NOT_FOUND:
        raise UsageError("portward is not there", where=destination, mend="install it there")
    if status == _FAILED:
        raise UsageError(f"ssh: {said}", where=destination)
    raise UsageError(said.removeprefix("portward: "), where=destination)


def _keep_last(stream: IO[bytes], lines: deque[bytes]) -> None:
    """Keep the last lines of a stream, each cut short."""
    while line := stream.readline(_LINE_BYTES):
        if line.strip():
            lines.append(line.strip())
