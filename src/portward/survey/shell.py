"""Files of assignments in shell syntax: os-release(5), /etc/default (pure, no I/O)."""


def assignments(text: str) -> dict[str, str]:
    """Read ``NAME=value`` lines; of the shell's syntax only quoting is understood.

    Lines that are none are left out, as os-release(5) asks of readers; the last one counts.
    """
    found = {}
    for line in text.splitlines():
        name, assigned, value = line.strip().removeprefix("export ").partition("=")
        if assigned and name.isidentifier():
            found[name] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    """Take off quotes; within double quotes a backslash guards four special characters."""
    quote = value[:1]
    if quote not in {'"', "'"}:
        return value.split(" #", 1)[0].rstrip()
    inner, closed, _ = value[1:].rpartition(quote)
    if not closed:
        return value
    if quote == '"':
        for special in '"$`\\':
            inner = inner.replace("\\" + special, special)
    return inner
