"""The exit statuses of every command."""

from enum import IntEnum


class Exit(IntEnum):
    """What the exit status says."""

    NOTHING_WRONG = 0
    FINDINGS = 1
    BAD_INPUT = 2
    COULD_NOT_TELL = 3
