"""What each module of the plan hands over."""

from typing import NamedTuple

from portward.model.plan import Change


class Part(NamedTuple):
    """Changes of one kind, and what a person should know of what is left alone."""

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
