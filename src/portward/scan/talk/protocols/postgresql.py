"""PostgreSQL: a request for TLS, answered with one letter (its manual, 55.2.10 "SSL Session")."""

import re
import struct

from portward.model.scan import Spoken
from portward.scan.talk.protocols import Step

PORTS = (5432, 5433)
_SSL_REQUEST = struct.pack(">II", 8, 80877103)
GREETING = _SSL_REQUEST
STARTTLS = (Step(_SSL_REQUEST, re.compile(rb"\AS\Z")),)
_ERROR = re.compile(rb"^E\0\0..S[A-Z]+\0", re.DOTALL)


def recognise(said: bytes) -> Spoken | None:
    """Read "S" (it can), "N" (it will not), or an error message."""
    if said in {b"S", b"N"} or _ERROR.match(said):
        return Spoken(protocol="postgresql", cleartext=True)
    return None
