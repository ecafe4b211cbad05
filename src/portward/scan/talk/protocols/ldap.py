"""LDAP (RFC 4511): the root entry; StartTLS by 4.14."""

import re

from portward.model.scan import Spoken
from portward.scan.ber import SEQUENCE, integer, octets, write
from portward.scan.ldap import recognise_entry, search_root
from portward.scan.talk.protocols import Step

PORTS = (389, 636, 3268, 3269)
SECURED = "ldaps"
_NUMBER = 0x7077
GREETING = search_root(_NUMBER)
_REQUEST, _RESPONSE = 0x77, 0x78
_START_TLS = "1.3.6.1.4.1.1466.20037"
STARTTLS = (
    Step(
        write(SEQUENCE, integer(1), write(_REQUEST, octets(_START_TLS, 0x80))),
        # A message with number 1, an extended response, and the result code "success".
        re.compile(
            rb"\x02\x01\x01\x78(?:[\x00-\x7f]|\x81.|\x82..|\x83...|\x84....)\x0a\x01\0", re.DOTALL
        ),
    ),
)


def recognise(said: bytes) -> Spoken | None:
    """Read the entry, or the end of the search."""
    return recognise_entry(said, _NUMBER)
