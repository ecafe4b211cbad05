"""Errors for people: one line that says what happened, where, and how to mend it."""


class PortwardError(Exception):
    """Something a person can mend; printed as one line, exit status 2."""

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        """Keep the three parts: what happened, where (file, line, key), and the mend."""
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        """Join the parts to the one line that the terminal shows."""
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line} ({self.mend})" if self.mend else line


class UsageError(PortwardError):
    """The command line asks for what cannot be."""


class PolicyError(PortwardError):
    """The policy, or a role or service added by the administrator, is wrong."""


class SnapshotError(PortwardError):
    """A snapshot file is damaged, newer than this portward, or no snapshot at all."""


class ScanError(PortwardError):
    """The file of a scan is damaged, newer than this portward, or none at all."""


class KnowledgeError(PortwardError):
    """A service, role or port file of the catalogue is wrong."""


class PlanError(PortwardError):
    """A plan is damaged, refused, or does not fit the machine any more."""


class ApplyError(PortwardError):
    """A change could not be made, or not be taken back."""
