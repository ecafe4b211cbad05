"""What a network device is and can, asked by ioctl in the namespace of the calling thread.

Constants: include/uapi/linux/sockios.h, if_arp.h, ethtool.h; netdevice(7).
"""

import fcntl
import socket
import struct
from ctypes import addressof, create_string_buffer

_SIOCGIFHWADDR, _SIOCETHTOOL = 0x8927, 0x8946
_ARPHRD_ETHER = 1
_IFREQ = struct.Struct("@16sH6s16x")
_IFREQ_POINTER = struct.Struct("@16sP16x")
_ETHTOOL_GSET = 1
_ETHTOOL_CMD_BYTES = 44
_SPEED_LOW, _SPEED_HIGH = 12, 28
_UNKNOWN_SPEED = {0, 0xFFFF, 0xFFFFFFFF}


def hardware_address(device: str) -> bytes | None:
    """Return the address of an Ethernet device; None for one that carries bare packets."""
    request = _IFREQ.pack(device.encode(), 0, b"")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            answer = fcntl.ioctl(any_socket, _SIOCGIFHWADDR, request)
    except OSError:
        return None
    _, kind, address = _IFREQ.unpack(answer)
    return bytes(address) if kind == _ARPHRD_ETHER and any(address) else None


def speed(device: str) -> int | None:
    """Return the speed of a link in bits a second; None where the device does not tell."""
    command = create_string_buffer(struct.pack("=I", _ETHTOOL_GSET), _ETHTOOL_CMD_BYTES)
    request = _IFREQ_POINTER.pack(device.encode(), addressof(command))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
    except OSError:
        return None
    (low,) = struct.unpack_from("=H", command, _SPEED_LOW)
    (high,) = struct.unpack_from("=H", command, _SPEED_HIGH)
    megabits = high << 16 | low
    return None if megabits in _UNKNOWN_SPEED else megabits * 1_000_000
