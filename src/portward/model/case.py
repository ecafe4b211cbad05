"""What is judged: one snapshot, one policy, and every listener joined with both."""

from datetime import date

from msgspec import Struct

from portward.model.host import Snapshot
from portward.model.policy import Policy
from portward.model.service import Catalogue
from portward.model.status import Default, Exposure


class Case(Struct, frozen=True, kw_only=True):
    """Everything a check may look at; ``portward status`` shows it as it is."""

    snapshot: Snapshot
    policy: Policy
    catalogue: Catalogue
    exposures: tuple[Exposure, ...]
    """One for each listener of the snapshot, and for each port that is only passed on (those have
    no socket); empty where the listeners are not known."""
    day: date
    """Today, for what expires."""
    defaults: tuple[Default, ...] = ()
    """TCP and UDP, IPv4 and IPv6; without those that nobody can send to this machine."""
