"""Security updates that install themselves, where the policy asks for it."""

from portward.advice.closing import package_names
from portward.model.case import Case
from portward.model.plan import Change, Enabling, Install, SetUnits, Step, UnitState, WriteFile
from portward.model.unknown import Unknown
from portward.plan.parts import Part
from portward.plan.units import are_managed

APT_FILE = "/etc/apt/apt.conf.d/20auto-upgrades"
APT_TEXT = 'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n'
_TOOLS = {"apt": "unattended-upgrades", "dnf": "dnf-automatic"}
_TIMERS = {
    "apt": ("apt-daily.timer", "apt-daily-upgrade.timer"),
    # Installs what it finds, whatever its file says (dnf-automatic(8)).
    "dnf": ("dnf-automatic-install.timer",),
}


def updates(case: Case) -> Part:
    """Install and switch on what the distribution has for it."""
    found = case.snapshot.updates
    if not case.policy.automatic_updates:
        return Part()
    if isinstance(found, Unknown) or isinstance(found.automatic, Unknown):
        return Part(notes=("Whether updates install themselves is not known.",))
    if found.automatic:
        return Part()
    manager = found.manager or ""
    if manager not in _TOOLS or not are_managed(case):
        return Part(notes=("Updates cannot be made automatic here: see portward audit.",))
    steps: list[Step] = []
    # The file first: what the package finds there it leaves, and no purge takes away its own.
    if manager == "apt" and case.snapshot.files.get(APT_FILE) != APT_TEXT:
        steps.append(WriteFile(path=APT_FILE, text=APT_TEXT))
    if _TOOLS[manager] not in package_names(case):
        steps.append(Install(packages=(_TOOLS[manager],)))
    timers = tuple(
        UnitState(unit=timer, active=True, enabling=Enabling.ENABLED) for timer in _TIMERS[manager]
    )
    steps.append(SetUnits(units=timers))
    return Part(
        (
            Change(
                subject="automatic updates",
                title="Let security updates install themselves",
                why="The policy asks for it (automatic_updates).",
                steps=tuple(steps),
            ),
        )
    )
