"""What became of plans that were applied: the history of one machine."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from portward.model.plan import Effect


class State(StrEnum):
    """Where an apply stands."""

    APPLYING = "applying"
    """It is going on, or was cut off: then the machine is between, and is rolled back."""
    WAITING = "waiting"
    """All is done; it is rolled back unless somebody confirms in time."""
    CONFIRMED = "confirmed"
    ROLLING_BACK = "rolling back"
    """It is being undone, or that was cut off or failed."""
    ROLLED_BACK = "rolled back"
    """The machine is as it was before."""


class Who(Struct, frozen=True, kw_only=True):
    """Who did it, as far as the process could tell."""

    uid: int
    user: str
    """The user behind sudo, where there is one."""
    source: str
    """Where the session came from; "" at the machine itself."""


class Applied(Struct, frozen=True, kw_only=True):
    """One apply, as the journal tells it."""

    number: int
    state: State
    began: datetime
    ended: datetime | None
    """When it was confirmed or rolled back."""
    who: Who
    policy: str
    """File of the policy, or the roles that were named."""
    changes: tuple[str, ...]
    """Titles."""
    effects: tuple[Effect, ...]
    seconds_left: float | None
    """Until it is rolled back; None unless it waits."""
    reason: str
    """Why it was rolled back; "" where it was not."""
    faults: tuple[str, ...]
    """What could not be undone, and how to mend it."""


class History(Struct, frozen=True, kw_only=True):
    """Every apply of a machine, the newest first."""

    applied: tuple[Applied, ...]
