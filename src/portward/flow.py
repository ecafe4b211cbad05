"""The product on one page: survey, judge, plan, apply, as short functions that the faces call.

Rooms are imported where they are used, so that a command pays at start-up only for itself.
"""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from portward.model.case import Case
from portward.model.errors import PolicyError, PortwardError, SnapshotError, UsageError
from portward.model.host import Snapshot
from portward.model.net import Ports, Protocol
from portward.model.policy import Policy, Profile
from portward.model.status import Exposure
from portward.model.unknown import Unknown

if TYPE_CHECKING:
    from portward.model.applied import Applied, History, Who
    from portward.model.explanation import Explanation
    from portward.model.finding import Audit
    from portward.model.plan import Plan
    from portward.model.scan import Scan, ScanDifference
    from portward.model.service import Catalogue
    from portward.model.verification import Verification
    from portward.plan.ways import Way
    from portward.policy.guess import Guess
    from portward.reach.ruleset import Ruleset
    from portward.reach.site import Site
    from portward.scan.look import Asked, Host, Listener
    from portward.scan.ports import Numbers
    from portward.scan.resolve import Words
    from portward.verify.reconcile import Outside

STATE_DIR = Path("/var/lib/portward")
POLICY_FILE = Path("/etc/portward/policy.toml")
MAX_POLICY_BYTES = 8 << 20
"""100,000 networks, each on a line of its own, take half of it."""
_CABLE_RATE = 200_000
"""Probes a second at most to this machine itself; a router on the way would get fewer."""
MAX_RULESET_BYTES = 256 << 20
"""100,000 rules take a quarter of it."""


# --- survey: what is open --------------------------------------------------------------------


def survey(root: Path | None = None) -> Snapshot:
    """Look at everything on this machine, or in the tree of an image that does not run."""
    from portward.survey import gather

    return gather.image(root) if root else gather.everything()


def survey_ports() -> Snapshot:
    """Look at the open ports of this machine and whose they are; nothing else."""
    from portward.survey import gather

    return gather.ports()


def read_snapshot(file: Path) -> Snapshot:
    """Read a snapshot that was saved earlier, or elsewhere."""
    from portward.model import snapshots

    return snapshots.decode(_read(file, snapshots.MAX_BYTES, SnapshotError), str(file))


# --- judge: what should change ---------------------------------------------------------------


def case(
    snapshot: Snapshot, *, day: date, policy_file: Path | None = None, roles: tuple[str, ...] = ()
) -> Case:
    """Join a snapshot with the policy: the named file, the named roles, or the best guess."""
    from portward.knowledge import catalogue

    known = catalogue.load()
    return join(snapshot, _policy(snapshot, known, policy_file, roles), known, day)


def join(snapshot: Snapshot, policy: Policy, known: "Catalogue", day: date) -> Case:
    """Join a snapshot with a policy."""
    from portward.knowledge.recognise import recognise
    from portward.policy.verdict import verdict
    from portward.reach.exposure import Exposer

    exposer = Exposer(snapshot)
    exposures = []
    listeners = () if isinstance(snapshot.listeners, Unknown) else snapshot.listeners
    for listener in (*listeners, *exposer.passed_on()):
        recognition = recognise(listener, known)
        reached = exposer.reach(listener)
        decision, allowance = verdict(listener, recognition, reached, policy, day)
        exposures.append(
            Exposure(
                listener=listener,
                recognition=recognition,
                reach=reached,
                verdict=decision,
                allowance=allowance,
                unforwarded=exposer.unforwarded(listener),
            )
        )
    return Case(
        snapshot=snapshot,
        policy=policy,
        catalogue=known,
        exposures=tuple(exposures),
        day=day,
        defaults=exposer.defaults(),
    )


def audit(judged: Case) -> "Audit":
    """Run every check."""
    from portward.checks import judge

    return judge(judged)


def guess(snapshot: Snapshot) -> "Guess":
    """Propose roles from what runs on a machine."""
    from portward.knowledge import catalogue
    from portward.policy.guess import guess as propose

    return propose(snapshot, catalogue.load())


def new_policy(
    roles: tuple[str, ...], snapshot: Snapshot, *, profile: Profile, admin: tuple[str, ...]
) -> str:
    """Return the text of a commented policy for roles."""
    from portward.knowledge import catalogue
    from portward.policy.write import render

    return render(roles, catalogue.load(), profile=profile, admin=admin, snapshot=snapshot)


def read_policy(file: Path, known: "Catalogue") -> Policy:
    """Read and resolve a policy file; PolicyError says where it is wrong."""
    from portward.policy.file import parse

    data = _read(file, MAX_POLICY_BYTES, PolicyError)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise PolicyError("is not UTF-8 text", where=f"{file}:{line}") from None
    policy = parse(text, str(file), known)
    _expect_checks(policy)
    return policy


# --- reach: who gets through -------------------------------------------------------------------


def site(
    snapshot: Snapshot, rulesets: tuple[Path, ...] = (), policy_file: Path | None = None
) -> "Site":
    """Make a machine ready for questions, with the rulesets of files instead of its own."""
    from portward.knowledge import catalogue
    from portward.reach import load, offline
    from portward.reach.site import Site

    rules: Ruleset | Unknown
    if rulesets:
        rules = offline.ruleset((str(file), _ruleset(file, snapshot)) for file in rulesets)
    else:
        firewall = snapshot.firewall
        rules = firewall if isinstance(firewall, Unknown) else load.ruleset(firewall)
    file = policy_file or (POLICY_FILE if POLICY_FILE.exists() else None)
    named = read_policy(file, catalogue.load()).networks if file else {}
    return Site(rules, snapshot, named)


def _ruleset(file: Path, snapshot: Snapshot) -> bytes:
    """Read a ruleset; one in nft's own text through nft."""
    from portward.reach import offline

    data = _read(file, MAX_RULESET_BYTES)
    if not offline.is_nft_text(data):
        return data
    from portward.survey import nft_text

    known = () if isinstance(snapshot.interfaces, Unknown) else snapshot.interfaces
    return nft_text.listed(data, str(file), [one.name for one in known])


def site_of_file(file: Path, here: Callable[[], Snapshot], policy_file: Path | None) -> "Site":
    """Make a machine of a snapshot, or of a ruleset that is thought to be loaded here."""
    from portward.reach import offline

    if offline.is_snapshot(_read(file, MAX_RULESET_BYTES)):
        return site(read_snapshot(file), (), policy_file)
    return site(here(), (file,), policy_file)


def read_interfaces(file: Path) -> Snapshot:
    """Read a file that gives the interfaces, addresses and routes of a machine."""
    from portward.reach import offline

    return offline.host(_read(file, MAX_RULESET_BYTES), str(file))


def port_named(text: str) -> "Ports":
    """Return the port that is meant by "5432/tcp" or by the name of a service."""
    from portward.knowledge import catalogue, port_names

    text = text.lower()  # as all names are
    names = port_names.read(Path("/"))
    if "/" in text:
        found = [Ports.parse(text)]
    elif text in (services := catalogue.load().services):
        found = list(services[text].ports)
    else:
        found = [Ports.parse(port) for port, name in names.items() if name == text]
    if not found:
        like = f'"{text}/tcp" or "{text}/udp"' if text.isdigit() else 'it like "22/tcp" or "ssh"'
        raise UsageError(f'"{text}" is no port', mend=f"write {like}")
    if len(found) > 1:
        choice = ", ".join(map(str, found))
        raise UsageError(f'"{text}" is more than one port', mend=f"choose one of: {choice}")
    if found[0].first != found[0].last:
        mend = "ask about one of them, or about all ports with --matrix"
        raise UsageError(f'"{text}" is more than one port', mend=mend)
    if found[0].protocol in {Protocol.RAW, Protocol.PACKET}:
        raise UsageError(f'"{text}" is no port that packets are sent to', mend='such as "22/tcp"')
    return found[0]


# --- plan: how to change it --------------------------------------------------------------------


def way_in(networks: tuple[str, ...] = ()) -> "tuple[Way, ...]":
    """Return the ways in that have to stay open: these networks, or how this session came."""
    from portward.plan.ways import Way
    from portward.policy.networks import prefix
    from portward.survey.way_in import connection

    if networks:
        return tuple(Way(source=prefix(text)) for text in networks)
    came = connection()
    if came is None:
        return ()
    return (Way(source=came.source, destination=came.destination, port=came.port),)


def plan(
    judged: Case,
    ways: "tuple[Way, ...]" = (),
    *,
    remove: bool = False,
    through: str | None = None,
) -> "Plan":
    """Say what to change on a machine; with remove, the packages that nobody needs as well.

    through: who shall be in charge of the firewall; None: who is by an earlier plan.
    """
    from portward.plan import removal
    from portward.plan.make import Wish, make
    from portward.survey import removals

    asked = None
    if remove:
        asked = tuple(
            removal.Removal(package=name, along=removals.along(name))
            for name in removal.candidates(judged)
        )
    return make(judged, Wish(ways=ways, removals=asked, through=through))


def plan_again(old: "Plan", ways: "tuple[Way, ...]", day: date) -> "Plan":
    """Make a plan once more, from the machine as it is now."""
    from portward.knowledge import catalogue

    judged = join(survey(), old.policy, catalogue.load(), day)
    asked = (one.removeprefix("through=") for one in old.options if one.startswith("through="))
    return plan(judged, ways, remove="remove" in old.options, through=next(asked, None))


def read_plan(file: Path) -> "Plan":
    """Read a plan that was made earlier."""
    from portward.model import plans
    from portward.model.errors import PlanError

    return plans.decode(_read(file, plans.MAX_BYTES, PlanError), str(file))


# --- apply: change it, and change it back --------------------------------------------------------


def apply(made: "Plan", *, state_dir: Path, confirm_within: float, day: date) -> "Applied":
    """Do a plan, prove it, and wait to be confirmed; ApplyError says why not."""
    from portward.apply import run

    return run.apply(
        made,
        state_dir=state_dir,
        confirm_within=confirm_within,
        who=_who(),
        verify=lambda: _broken_promise(made, day),
    )


def confirm(state_dir: Path) -> "Applied":
    """Keep what was applied."""
    from portward.apply import run

    return run.confirm(state_dir)


def rollback(state_dir: Path, number: int | None = None) -> "tuple[Applied, ...]":
    """Take back the newest apply that stands, or all down to the one with a number."""
    from portward.apply import run

    return run.rollback(state_dir, number)


def history(state_dir: Path) -> "History":
    """Return every apply, the newest first."""
    from portward.apply import run
    from portward.model.applied import History

    return History(applied=run.history(state_dir))


def _broken_promise(made: "Plan", day: date) -> str | None:
    """Say in what the machine differs from what a plan promised; None where it does not."""
    from portward.knowledge import catalogue
    from portward.plan.effects import unlike

    judged = join(survey(), made.policy, catalogue.load(), day)
    left = plan(judged).changes
    if left:
        return f'"{left[0].title}" is still to do'
    return unlike(made.effects, judged)


def _who() -> "Who":
    import os
    import pwd

    from portward.model.applied import Who
    from portward.survey.way_in import connection

    came = connection()
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = ""
    return Who(
        uid=uid,
        user=os.environ.get("SUDO_USER") or name,
        source=came.source if came else "",
    )


# --- scan: look from outside -------------------------------------------------------------------


def ports_named(text: str) -> "Numbers":
    """Return the ports that are meant by "22,80,8000-8100", "-", "U:53", or by names."""
    from portward.knowledge import catalogue, port_names
    from portward.scan import ports

    return ports.parse(text, catalogue.load(), port_names.read(Path("/")))


def ports_usual(top: int | None = None) -> "Numbers":
    """Return the ports that are looked at where none are named, or the first of them."""
    from portward.knowledge import catalogue
    from portward.scan import ports

    known = catalogue.load()
    return ports.default(known) if top is None else ports.top(top, known)


def hosts_named(words: "Words") -> "tuple[Host, ...]":
    """Return the hosts that are meant by names, addresses, networks and files."""
    from portward.scan import resolve

    return resolve.hosts(words)


def read_scan(file: Path) -> "Scan":
    """Read a scan that was made earlier, by portward, nmap, masscan or naabu."""
    from portward.model.errors import ScanError
    from portward.scan import imports

    return imports.read(_read(file, imports.MAX_BYTES, ScanError), str(file))


def scan(asked: "Asked", listener: "Listener") -> "Scan":
    """Look at hosts from outside."""
    from portward.scan import look
    from portward.scan.greetings import GREETINGS

    return look.look(asked._replace(greetings=GREETINGS), listener)


def talk(seen: "Scan") -> "Scan":
    """Find out what answers behind each open TCP port of a scan, and what TLS it speaks."""
    from portward.scan import talk

    return talk.added(seen)


def scan_difference(old: Path, new: Path) -> "ScanDifference":
    """Say what changed between two scans that were made earlier."""
    from portward.scan.changes import changes

    return changes(read_scan(old), read_scan(new), (str(old), str(new)))


# --- verify: inside and outside ------------------------------------------------------------------


def verify(
    judged: Case, outsides: "Sequence[Outside]", policy_file: Path | None = None
) -> "Verification":
    """Hold scans against what the machine says of itself."""
    from portward.verify.reconcile import reconcile

    return reconcile(judged, site(judged.snapshot, (), policy_file), outsides)


def verify_from_here(
    here: Callable[[], Case],
    ports: "Numbers | None",
    addresses: tuple[str, ...] = (),
    interface: str | None = None,
) -> "Verification":
    """Look at this machine from a place outside that is made on it, and take it away again.

    ``here`` joins this machine, as it is when it is called, with the policy. Packets come in by
    ``interface``: None is the one that leads outside, an empty one the cable to that place.
    """
    from functools import partial

    from portward.scan.vantage import Vantage
    from portward.verify import standing
    from portward.verify.reconcile import Outside, reconcile

    before = here()
    targets = addresses or standing.targets(before.snapshot)
    stands = standing.standings(before.snapshot, before.policy, targets)
    outsides = []
    entrance = standing.outer(before.snapshot) if interface is None else interface
    with Vantage([one.address for one in stands], targets, entrance) as place:
        judged = here()  # with the cable in, which the rules may treat in their own way
        asked = ports or standing.ports(judged)
        for one in stands:
            place.stand_at(one.address)
            alike = standing.same_family(targets, one)
            seen = place.inside(partial(scan_from_here, alike, asked, rate=_CABLE_RATE))
            outsides.append(Outside(seen, one.address, place.entrance, one.stands_for))
        rules = site(judged.snapshot)
        notes = standing.notes(stands, place.device, place.entrance, place.why_by_the_cable)
    return reconcile(judged, rules, outsides, notes)


def scan_from_here(
    addresses: Sequence[str], ports: "Numbers", *, rate: float | None = None
) -> "Scan":
    """Look at some addresses, without telling anyone of progress."""
    from portward.scan.look import Asked, Listener
    from portward.scan.resolve import Words

    hosts = hosts_named(Words(tuple(addresses)))
    return scan(Asked(hosts=hosts, ports=ports, rate=rate), Listener())


def scan_from(destination: str, addresses: Sequence[str], ports: "Numbers") -> "Scan":
    """Let portward on another machine look, over SSH."""
    from portward.scan import far, imports
    from portward.scan.ports import written_all

    words = ("scan", "--format", "json", "--ports", written_all(ports), "--", *addresses)
    return imports.read(far.run(destination, words), destination)


def snapshot_of(destination: str) -> Snapshot:
    """Let portward on another machine take a snapshot of it, over SSH."""
    from portward.model import snapshots
    from portward.scan import far

    return snapshots.decode(far.run(destination, ("snapshot",)), destination)


# --- explain ---------------------------------------------------------------------------------


def explain(topic: str) -> "Explanation":
    """Say what is known about a port, a service, a role or a check."""
    from portward import checks
    from portward.knowledge import catalogue, port_names
    from portward.knowledge.explain import port, role, service

    known = catalogue.load()
    topic = topic.lower()  # as all names are
    kind, _, name = topic.partition(" ")
    if kind == "role" or (not name and topic in known.roles):
        return role(name or topic, known)
    if kind == "check" or (not name and topic in checks.checks()):
        return checks.explain(name or topic)
    if kind == "service":
        return service(name, known)
    return port(topic, known, port_names.read(Path("/")))


def explain_finding(name: str, found: "Audit") -> "Explanation":
    """Say everything about one finding of an audit; UsageError where the audit has no such."""
    from portward import checks

    for finding in (*found.findings, *(one.finding for one in found.suppressed)):
        if finding.id.upper() == name.upper():
            return checks.explain_finding(finding)
    raise UsageError(f'this machine has no finding "{name}" now', mend="see portward audit")


def _expect_checks(policy: Policy) -> None:
    """Raise PolicyError for a suppression of a check that does not exist."""
    for index, one in enumerate(policy.suppressions):
        if one.finding.startswith("PW-"):
            continue
        from portward import checks
        from portward.knowledge.words import did_you_mean

        if one.finding not in checks.checks():
            raise PolicyError(
                f'there is no check "{one.finding}"',
                where=f"{one.origin}: suppress[{index}].finding",
                mend=did_you_mean(one.finding, checks.checks()),
            )


def _policy(
    snapshot: Snapshot, known: "Catalogue", file: Path | None, roles: tuple[str, ...]
) -> Policy:
    if file is None and not roles and POLICY_FILE.exists():
        from portward.knowledge.catalogue import refuse_foreign

        # Nobody named it, so it counts only where nobody else could have written it.
        refuse_foreign(str(POLICY_FILE), POLICY_FILE.stat(), PolicyError)
        file = POLICY_FILE
    if file is not None:
        return read_policy(file, known)
    from portward.policy.resolve import Intent, resolve

    if roles:
        return resolve(Intent(roles=roles), known)
    from portward.policy.guess import guess as propose

    names = tuple(one.role for one in propose(snapshot, known).roles)
    return resolve(Intent(roles=names, recognised=True), known)


def _read(file: Path, limit: int, error: type[PortwardError] = UsageError) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as failure:
        raise error(f"cannot be read: {failure.strerror}", where=str(file)) from None
    if len(data) > limit:
        raise error(f"larger than {limit >> 10} KiB", where=str(file))
    return data
