"""How the machine keeps its software updated, and what it still has to do."""

from datetime import UTC, datetime
from pathlib import Path

from portward.model.host import PendingUpdate, Updates
from portward.model.unknown import NEEDS_ROOT, NOT_RUNNING, Maybe, Unknown
from portward.survey import apt_conf, apt_lists, automatic, dnf
from portward.survey.automatic import Automatic
from portward.survey.dpkg import Dpkg
from portward.survey.files import exists, names, resolve
from portward.survey.reboot import reboot
from portward.survey.rpm import Rpm
from portward.survey.stale import stale
from portward.survey.tools import ToolError

_RUNNING = Path("/")
_NEITHER = Unknown("neither apt nor dnf is here")
_APT = "usr/bin/apt-get"

# apt gives a list the time of the server's file, so only these tell when it was fetched: the
# stamps of apt's own daily work, and the directories that every "apt update" writes to.
_STAMPS = (
    "var/lib/apt/periodic/update-success-stamp",
    "var/lib/apt/periodic/update-stamp",
    f"{apt_lists.LISTS}/partial",
    apt_lists.LISTS,
)


def updates(root: Path) -> Maybe[Updates]:
    """Survey the updates of the machine or image below root."""
    try:
        if Dpkg(root).present() and exists(root, _APT):
            return _apt(root)
        if Rpm(root).present():
            return _dnf(root)
    except OSError as error:
        return _unknown(error)
    nothing = Automatic(on=_NEITHER, reason=_NEITHER.reason)
    return _updates(root, None, nothing, _NEITHER, _NEITHER)


def _apt(root: Path) -> Updates:
    configuration = apt_conf.load(root)
    pending: Maybe[tuple[PendingUpdate, ...]]
    try:
        pending = apt_lists.pending(root, configuration.value("APT::Default-Release"))
    except (ToolError, OSError) as error:
        pending = _unknown(error)
    return _updates(root, "apt", automatic.apt(root, configuration), _fetched(root), pending)


def _dnf(root: Path) -> Updates:
    pending: Maybe[tuple[PendingUpdate, ...]] = NOT_RUNNING
    if root == _RUNNING:
        try:
            pending = dnf.pending()
        except (ToolError, OSError, ValueError) as error:
            pending = _unknown(error)
    return _updates(root, "dnf", automatic.dnf(root), dnf.lists_updated(root), pending)


def _updates(
    root: Path,
    manager: str | None,
    automatically: Automatic,
    lists_updated: Maybe[datetime | None],
    pending: Maybe[tuple[PendingUpdate, ...]],
) -> Updates:
    runs = root == _RUNNING
    required, reason = reboot() if runs else (NOT_RUNNING, None)
    return Updates(
        manager=manager,
        automatic=automatically.on,
        automatic_reason=automatically.reason,
        obstacles=automatically.obstacles,
        lists_updated=lists_updated,
        pending=pending,
        stale=stale() if runs else NOT_RUNNING,
        reboot_required=required,
        reboot_reason=reason,
    )


def _fetched(root: Path) -> datetime | None:
    """Say when "apt update" last ran; None where there are no lists."""
    if not any(name.endswith(("_InRelease", "_Release")) for name in names(root, apt_lists.LISTS)):
        return None
    times = [resolve(root, path).stat().st_mtime for path in _STAMPS if exists(root, path)]
    return datetime.fromtimestamp(max(times), UTC) if times else None


def _unknown(error: Exception) -> Unknown:
    if isinstance(error, PermissionError):
        return NEEDS_ROOT
    if isinstance(error, OSError) and error.strerror:
        return Unknown(f"{error.filename}: {error.strerror}")
    return Unknown(str(error))
