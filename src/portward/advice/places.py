"""What the path of a program says of it."""

_WRITABLE = ("/tmp/", "/var/tmp/", "/dev/", "/run/user/", "/run/shm/")  # noqa: S108 - looked for, not written
_MANAGED = ("/snap/", "/var/lib/snapd/", "/nix/store/", "/gnu/store/", "/var/lib/flatpak/", "/app/")
"""Where other package managers keep programs that dpkg and rpm do not know."""


def is_writable_by_others(path: str) -> bool:
    """Say whether it lies where every user, or every program that is broken into, may write."""
    return path.startswith(_WRITABLE)


def is_hidden(path: str) -> bool:
    """Say whether a part of the path starts with a dot, so that ls does not show it."""
    return "/." in path


def is_managed(path: str) -> bool:
    """Say whether another package manager than the distribution's keeps the file."""
    return path.startswith(_MANAGED)
