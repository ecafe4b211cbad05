"""What a port speaks of TLS: which versions, which cipher, which certificate."""

import os
from collections.abc import Callable

from portward.model.scan import Certificate, Tls
from portward.model.unknown import Unknown
from portward.scan.talk import hello
from portward.scan.talk.line import Line, OverError, Port
from portward.scan.talk.protocols import Step

TurnOn = Callable[[Line], bool]
"""What is said before TLS can begin; False: the server does not want it."""


def turn_on(steps: tuple[Step, ...]) -> TurnOn:
    """Return what goes through the steps of a protocol; without any, TLS begins at once."""

    def turned_on(line: Line) -> bool:
        for step in steps:
            if step.send:
                line.send(step.send)
            if step.expect.pattern and not step.expect.search(line.hear(step.expect.search)):
                return False
        return True

    return turned_on


def examine(port: Port, steps: tuple[Step, ...], name: str) -> Tls | Unknown | None:
    """Ask for each version, one connection each; None where there is no TLS."""
    accepted: list[str] = []
    refused: list[str] = []
    best = hello.Answer()
    shown: bytes | None = None
    begins = turn_on(steps)
    try:
        for number, version in hello.VERSIONS.items():
            answer = _ask(port, begins, number, name)
            if answer is None:
                continue
            if answer.version == number:
                accepted.append(version)
                best = answer
                shown = answer.certificate or shown
            else:
                refused.append(version)
    except OverError as error:
        return Unknown(f"which versions of TLS it speaks: {error}")
    if not accepted:
        if not refused:
            return None
        return Unknown("it speaks TLS, and declined every version")
    return Tls(
        versions=tuple(accepted),
        refused=tuple(refused),
        cipher=best.cipher,
        starttls=bool(steps),
        certificate=_certificate(port, begins, shown, name),
    )


def _ask(port: Port, begins: TurnOn, version: int, name: str) -> hello.Answer | None:
    """Ask for one version; None: no TLS was to be had, or nothing came back."""
    with port.line() as line:
        if not begins(line):
            return None
        line.send(hello.client_hello(version, os.urandom(hello.RANDOM_BYTES), name))
        said = line.hear(lambda said: hello.read(said).complete)
    if hello.is_tls(said):
        return hello.read(said)
    # A server of today hangs up on SSL 3.0 without a word; silence would tell nothing.
    return hello.Answer() if not said else None


def _certificate(
    port: Port, begins: TurnOn, shown: bytes | None, name: str
) -> Certificate | Unknown | None:
    if shown is None:
        try:
            with port.line() as line:
                if not begins(line) or (failed := line.secure(name)):
                    return Unknown(f"the handshake failed: {failed}")
                shown = line.certificate()
        except OverError as error:
            return Unknown(str(error))
    if shown is None:
        return None
    from portward.scan.talk import certificate  # noqa: PLC0415 - slow, and most ports have none

    return certificate.read(shown)
