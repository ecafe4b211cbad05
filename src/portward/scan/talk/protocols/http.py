"""HTTP (RFC 9112), and the services that are known by what they put into its header."""

import re

from portward.model.scan import Spoken
from portward.scan.talk.protocols import text

PORTS = (80, 443, 631, 2375, 2376, 3000, 5000, 8000, 8008, 8080, 8081, 8443, 8888, 9090, 9200)
GREETING = b"GET / HTTP/1.0\r\nUser-Agent: portward\r\nAccept: */*\r\n\r\n"
SECURED = "https"
_STATUS = re.compile(rb"^HTTP/1\.[01] [1-5]\d\d[ \r\n]")
_SERVER = re.compile(rb"^server:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_DOCKER = re.compile(rb"^(?:api-version:|server:[ \t]*docker/)", re.IGNORECASE | re.MULTILINE)
_PODMAN = re.compile(rb"^libpod-api-version:", re.IGNORECASE | re.MULTILINE)
_SETTINGS = re.compile(rb"^\0\0[\x00-\xff]\x04\0\0\0\0\0")
"""The first frame of an HTTP/2 server (RFC 9113, 3.4), which some send to every client."""


def recognise(said: bytes) -> Spoken | None:
    """Read the status line and the header."""
    if _SETTINGS.match(said):
        return Spoken(protocol="http", product="HTTP/2", cleartext=True)
    if not _STATUS.match(said):
        return None
    header = said.partition(b"\r\n\r\n")[0]
    server = _SERVER.search(header)
    name = "http"
    if _PODMAN.search(header):
        name = "podman-api"
    elif _DOCKER.search(header):
        name = "docker-api"
    return Spoken(protocol=name, product=text(server[1]) if server else "", cleartext=True)
