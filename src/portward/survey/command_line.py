"""Hides passwords and tokens in command lines, so that no report carries them away."""

import re
from collections.abc import Iterator
from functools import cache

HIDDEN = "***"

_HINTS = ("pass", "pwd", "secret", "token", "key", "cred", "auth", "://", "@tcp(", "@unix(", "@(")
"""A command line without any of these (in lower case) holds nothing to hide by name."""

_ATTACHED = {"mysql": "-p", "mysqld": "-p", "mariadb": "-p", "mysqldump": "-p", "sshpass": "-p"}
"""Programs whose one-letter option has the password attached to it."""
_FOLLOWED = {
    "sshpass": ("-p",),
    "redis-cli": ("-a",),
    "ldapsearch": ("-w",),
    "curl": ("-u", "--user", "-U", "--proxy-user"),
    "smbclient": ("-U", "--user"),
    "socat": ("-P",),
}
"""Programs with an option, not named after a secret, that is followed by the password."""


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Compile at first need: most command lines have no hint of a secret."""
    name = (
        r"[\w.\-]*(?:passw(?:or)?d|passwort|passphrase|pass|pwd|secret|token|credentials?|"
        r"masterauth|(?:api|access|secret|private|auth|encryption|master|shared)[_.\-]?key)"
    )
    return (
        re.compile(rf"(-{{0,2}}{name}=).+", re.IGNORECASE | re.DOTALL),
        re.compile(rf"--?{name}", re.IGNORECASE),
        # Inside a longer argument: a connection string, a URL's query, a header, a title.
        re.compile(
            rf"(\b{name}\s*[=:]\s*|--{name}\s+|\bauthorization:\s*(?:\w+\s+)?)[^\s&;]+",
            re.IGNORECASE,
        ),
        # In a URL, and in the data source names of Go: "me:secret@tcp(db:3306)/x".
        re.compile(r"(\w://[^\s/:@]*:|(?<!\S)[\w.\-]+:(?=\S+@(?:tcp|unix)?\())[^\s/]+(?=@)"),
    )


def masked(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the arguments with values of secret options replaced by ``***``.

    The names of options decide, not the values; a path to a file with a secret is no secret.
    """
    if not arguments:
        return arguments
    program = arguments[0].rpartition("/")[2]
    low = "\0".join(arguments).lower()
    by_name = any(hint in low for hint in _HINTS)
    if not by_name and program not in _ATTACHED and program not in _FOLLOWED:
        return arguments
    return tuple(_mask(arguments, program))


def _mask(arguments: tuple[str, ...], program: str) -> Iterator[str]:
    assigned, option, inside, userinfo = _patterns()
    attached, followed = _ATTACHED.get(program), _FOLLOWED.get(program, ())
    hide_next = False
    for argument in arguments:
        if hide_next and not argument.startswith("--"):
            hide_next = False
            yield HIDDEN
        elif match := assigned.fullmatch(argument):
            yield match[1] + HIDDEN
        elif attached and argument.startswith(attached) and argument != attached:
            yield attached + HIDDEN
        else:
            hide_next = argument in followed or option.fullmatch(argument) is not None
            yield userinfo.sub(rf"\1{HIDDEN}", inside.sub(rf"\1{HIDDEN}", argument))
