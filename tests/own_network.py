"""A network namespace of a test's own, gone when the test is done with it."""

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h


def in_own_network(work: Callable[[], T]) -> T:
    """Run work in a thread that has a new network namespace; programs it starts are inside."""

    def inside() -> T:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(inside).result()


def run(*commands: str, text: str | None = None) -> str:
    """Run commands, written with spaces between plain words; return what the last one prints."""
    printed = ""
    for command in commands:
        printed = subprocess.run(
            command.split(), input=text, capture_output=True, text=True, check=True, timeout=60
        ).stdout
    return printed
