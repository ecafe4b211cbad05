"""What is wrong: findings, what could not be judged, and the audit that holds both."""

from enum import StrEnum

from msgspec import Struct

from portward.model.case import Case
from portward.model.host import Listener
from portward.model.policy import Suppression


class Severity(StrEnum):
    """How bad it is if it is true."""

    CRITICAL = "critical"
    """Someone is in, or needs one packet to be."""
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"
    """Worth knowing; does not make an audit fail."""

    @property
    def rank(self) -> int:
        """0 for the worst, for sorting."""
        return list(type(self)).index(self)


class Confidence(StrEnum):
    """How sure it is that it is true."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


class Evidence(Struct, frozen=True):
    """One fact that the finding rests on."""

    text: str
    where: str = ""
    """File and line, a unit, /proc path, "sock_diag": where a person can see it too."""


class Remedy(Struct, frozen=True, kw_only=True):
    """What to do about it."""

    summary: str
    """An imperative sentence."""
    commands: tuple[str, ...] = ()
    """Exactly what to type as root, in order; a file to edit is named in the summary."""
    caution: str = ""
    """What it breaks, or what to make sure of before."""


class Finding(Struct, frozen=True, kw_only=True):
    """Something wrong, with everything a person needs to decide and to act."""

    check: str
    """Id of the check, the name of its file: "open_not_allowed" is written "open-not-allowed"."""
    subject: str
    """What it is about, in words that stay the same from run to run: no pid, no inode.

    Check and subject together make the finding's id.
    """
    severity: Severity
    confidence: Confidence
    title: str
    why: str
    evidence: tuple[Evidence, ...]
    remedy: Remedy
    listener: Listener | None = None

    @property
    def id(self) -> str:
        """``PW-`` and eight hexadecimal digits, the same for the same fault on the same machine."""
        from hashlib import blake2s  # noqa: PLC0415 - it loads OpenSSL, 3 ms

        key = f"{self.check}\0{self.subject}".encode()
        return f"PW-{blake2s(key, digest_size=4).hexdigest()}"


class Undecided(Struct, frozen=True, kw_only=True):
    """A check that could not tell, about what, and why."""

    check: str
    subject: str
    reason: str
    mend: str = ""
    """How to make it tell: "run as root"."""


class Suppressed(Struct, frozen=True, kw_only=True):
    """A finding that is true but that a person has accepted."""

    finding: Finding
    by: Suppression


class Audit(Struct, frozen=True, kw_only=True):
    """A snapshot judged against a policy."""

    case: Case
    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...]
    undecided: tuple[Undecided, ...]
    checks: tuple[str, ...]
    """Ids of all checks that ran."""
