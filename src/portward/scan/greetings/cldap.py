"""LDAP without connection, as domain controllers speak it: the root entry (MS-ADTS 3.1.1.3.1.3)."""

from portward.model.scan import Spoken
from portward.scan.ldap import recognise_entry, search_root

PORTS = (389,)
_NUMBER = 0x7077
GREETINGS = (search_root(_NUMBER),)


def recognise(reply: bytes) -> Spoken | None:
    """Read the root entry, or the end of a search."""
    return recognise_entry(reply, _NUMBER)
