"""How portward writes things, the same everywhere; safe for a terminal."""

from portward.model.host import Listener
from portward.model.net import Family, Protocol, is_wildcard


def printable(text: str) -> str:
    r"""Return text from outside with everything that a terminal would obey written as ``\x1b``.

    That is all that Unicode does not call printable: C0 and C1 controls, overrides of direction,
    line and paragraph separators, characters without width, spaces that are no space, and lone
    surrogates; each could repaint or disguise a line.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def endpoint(listener: Listener) -> str:
    """Write where it listens: ``0.0.0.0:22``, ``[::]:80``, ``127.0.0.1%lo:53``, ``eth0``."""
    device = f"%{listener.device}" if listener.device else ""
    if listener.protocol == Protocol.PACKET:
        return listener.device or "all interfaces"
    address = (
        f"[{listener.address}{device}]" if ":" in listener.address else listener.address + device
    )
    return address if listener.protocol == Protocol.RAW else f"{address}:{listener.port}"


def port(listener: Listener) -> str:
    """Write the port as a person names it: ``22/tcp``, ``raw 1 (icmp)``, ``packet 0x0003``."""
    if listener.protocol == Protocol.PACKET:
        return "packet socket"
    if listener.protocol == Protocol.RAW:
        return f"raw socket, IP protocol {listener.port}"
    return f"{listener.port}/{listener.protocol}"


def where(listener: Listener) -> str:
    """Write the port with its address in words: ``22/tcp on all addresses (IPv4 and IPv6)``."""
    if listener.protocol == Protocol.PACKET:
        return f"{port(listener)} on {endpoint(listener)}"
    if not is_wildcard(listener.address):
        return f"{port(listener)} on {listener.address}"
    families = {Family.IPV4: "IPv4", Family.IPV6: "IPv6", Family.DUAL: "IPv4 and IPv6"}
    return f"{port(listener)} on all addresses ({families[listener.family]})"
