"""Run a program of the system for what it prints: no shell, its own language."""

import os
from collections.abc import Collection

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where tools are looked for, whatever the caller's PATH says: portward often runs as root."""

MAX_BYTES = 256 << 20


class ToolError(Exception):
    """The tool is missing, failed or said too much; the text is a short clause."""


def output(
    command: list[str], *, seconds: float, good: Collection[int] = (0,), stdin: int | None = None
) -> bytes:
    """Return what a command writes to standard output; raise ToolError where it ends badly.

    The command starts with a tool's name or absolute path; good holds the exit statuses that
    mean success. It reads an open file, or nothing.
    """
    # Slow to import, and most surveys run no tool.
    import subprocess  # noqa: PLC0415
    from select import select  # noqa: PLC0415
    from time import monotonic  # noqa: PLC0415

    name = command[0].rpartition("/")[2]
    places = (f"{directory}/{name}" for directory in PATH.split(":"))
    candidates = [command[0]] if command[0].startswith("/") else places
    program = next((path for path in candidates if os.access(path, os.X_OK)), None)
    if program is None:
        raise ToolError(f"no {name} on this machine")
    end = monotonic() + seconds
    parts = []
    size = 0
    try:
        process = subprocess.Popen(  # noqa: S603 - a fixed tool with a list of arguments
            [program, *command[1:]],
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C", "PATH": PATH, "HOME": "/"},
        )
    except OSError as error:
        raise ToolError(f"{name} does not start: {error.strerror}") from error
    with process:
        try:
            assert process.stdout is not None  # noqa: S101 - tells mypy what PIPE means
            pipe = process.stdout.fileno()
            while select([pipe], [], [], max(0, end - monotonic()))[0]:
                part = os.read(pipe, 1 << 20)
                if not part:
                    break
                parts.append(part)
                size += len(part)
                if size > MAX_BYTES:
                    raise ToolError(f"{name} said more than {MAX_BYTES >> 20} MiB")
            process.wait(max(0, end - monotonic()))
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"{name} took longer than {seconds:g} s") from error
        finally:
            process.kill()
    if process.returncode not in good:
        raise ToolError(f"{name} failed with exit status {process.returncode}")
    return b"".join(parts)
