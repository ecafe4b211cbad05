"""DNS over TCP (RFC 7766): the same question as by UDP, behind its length."""

from portward.model.scan import Spoken
from portward.scan.greetings import dns

PORTS = (53, 853)
SECURED = "dns-over-tls"
GREETING = len(dns.GREETINGS[0]).to_bytes(2, "big") + dns.GREETINGS[0]


def recognise(said: bytes) -> Spoken | None:
    """Read the response behind its length."""
    if len(said) != 2 + int.from_bytes(said[:2], "big"):
        return None
    return dns.recognise(said[2:])
