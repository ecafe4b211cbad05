"""Connections to one port, bounded in time, bytes and number whatever is at the other end."""

import contextlib
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator

MOST_BYTES = 32 << 10
"""Read from one connection; a certificate chain fits."""
MOST_CONNECTIONS = 32
"""Made to one port."""
SECONDS = 25.0
"""For one port, all together."""
CONNECT_SECONDS = 3.0
REPLY_SECONDS = 1.5
QUIET_SECONDS = 0.1
"""After what is enough to recognise, this long without more ends a reply."""
_ROUND_TRIPS = 4
"""That are added to each time to wait."""


class OverError(Exception):
    """The time or the connections for this port are used up, or it takes no more."""


class Port:
    """One port that is talked to, and what may still be spent on it."""

    def __init__(self, address: str, port: int, *, seconds: float = SECONDS) -> None:
        """Begin the clock."""
        self.address = address
        self.port = port
        self.end = time.monotonic() + seconds
        self.connections = 0

    @contextlib.contextmanager
    def line(self) -> Iterator["Line"]:
        """Connect once more; OverError where that is not possible."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise OverError("it took too long")
        if self.connections >= MOST_CONNECTIONS:
            raise OverError("it would have needed too many connections")
        self.connections += 1
        began = time.monotonic()
        try:
            connection = socket.create_connection(
                (self.address, self.port), min(CONNECT_SECONDS, left)
            )
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else "no answer"
            raise OverError(f"it took no further connection: {reason}") from None
        line = Line(connection, self.end, _ROUND_TRIPS * (time.monotonic() - began))
        try:
            yield line
        finally:
            line.close()


class Line:
    """One connection."""

    def __init__(self, connection: socket.socket, end: float, travel: float = 0) -> None:
        """Take a connection, when all must be over, and the seconds that words are under way."""
        self._connection = connection
        self._end = end
        self._travel = travel
        self._room = MOST_BYTES

    def close(self) -> None:
        """End it; it may be over already."""
        with contextlib.suppress(OSError):
            self._connection.close()

    def send(self, data: bytes) -> None:
        """Say something; that nobody listens any more shows when hearing."""
        self._connection.settimeout(max(self._end - time.monotonic(), 0.001))
        with contextlib.suppress(OSError, ValueError):
            self._connection.sendall(data)

    def hear(self, enough: Callable[[bytes], object], seconds: float = REPLY_SECONDS) -> bytes:
        """Return what is said until it is enough and a moment of quiet follows.

        The time is for all of it, so that a server that drips byte by byte gains nothing.
        """
        said = b""
        end = min(time.monotonic() + seconds + self._travel, self._end)
        quiet = end
        while self._room > 0 and (left := min(end, quiet) - time.monotonic()) > 0:
            self._connection.settimeout(left)
            try:
                more = self._connection.recv(self._room)
            except (OSError, ValueError):  # also of TLS; a time-out is one
                break
            if not more:
                break
            said += more
            self._room -= len(more)
            if quiet != end or enough(said):
                quiet = time.monotonic() + QUIET_SECONDS + self._travel
        return said

    def secure(self, name: str) -> str:
        """Turn TLS on, whatever the certificate and the version; return why not, or nothing."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Who it is does not matter: nothing secret is said, and old servers shall be heard too.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("ALL:@SECLEVEL=0")
        self._connection.settimeout(max(min(CONNECT_SECONDS, self._end - time.monotonic()), 0.001))
        try:
            self._connection = context.wrap_socket(self._connection, server_hostname=name or None)
        except (OSError, ValueError) as error:
            reason = error.reason if isinstance(error, ssl.SSLError) else None
            return (reason or type(error).__name__).lower().replace("_", " ")
        return ""

    def certificate(self) -> bytes | None:
        """Return the certificate that was shown, in DER, where TLS is on."""
        secured = self._connection
        return secured.getpeercert(binary_form=True) if isinstance(secured, ssl.SSLSocket) else None
