import build
from portward.model.host import Sight
from portward.model.status import Scope, Verdict
from portward.report import Look, plain
from report import sample


def shown(**facts: object) -> str:
    return plain.status(build.case(**facts), Look(width=100))


def test_ports_that_could_not_be_listed_are_never_no_ports() -> None:
    text = plain.status(sample.blind_case(), Look())
    assert "The open ports are unknown: sock_diag is not in this kernel." in text
    assert "No port" not in text
    assert "allowed" not in text


def test_no_port_is_said_so() -> None:
    assert "No port is open." in plain.status(sample.empty_case(), Look())


def test_a_machine_in_order_is_told_so_in_one_line() -> None:
    text = plain.status(sample.quiet_case(), Look())
    assert "Nothing is open to others that the policy does not allow." in text


def test_an_unknown_reach_is_never_called_well() -> None:
    for verdict in (Verdict.NOT_ALLOWED, Verdict.UNKNOWN):
        one = build.exposure(build.listener(), scope=Scope.UNKNOWN, verdict=verdict)
        assert "Nothing is open" not in plain.status(build.case(one), Look())


def test_a_user_is_told_what_root_would_see_and_root_is_not() -> None:
    gap = "The rules are hidden."
    user = Sight(root="/", euid=1000, owners_by="proc", gaps=(gap,))
    root = Sight(root="/", euid=0, owners_by="proc", gaps=(gap,))
    assert "Run it as root" in shown(sight=user)
    assert gap in shown(sight=root)
    assert "Run it as root" not in shown(sight=root)


def test_the_origin_of_the_roles_is_said() -> None:
    assert "from /etc/portward/policy.toml" in shown()
    assert "portward init --guess" in shown(policy=build.policy(recognised=True, source=""))
    assert "given by name" in shown(policy=build.policy(source=""))
    assert "Role: none" in shown(policy=build.policy(roles=()))
    guessed = shown(policy=build.policy(roles=(), recognised=True, source=""))
    assert "what runs shows none" in guessed
    assert "--guess" not in guessed
    two = build.policy(roles=(build.role("a"), build.role("b")))
    assert "Roles: a, b" in shown(policy=two)


def test_an_image_is_named() -> None:
    sight = Sight(root="/srv/image", euid=0, owners_by="none", gaps=())
    assert "image /srv/image" in shown(sight=sight)
    unnamed = shown(sight=sight, machine=build.machine(hostname=""))
    assert unnamed.startswith("Debian GNU/Linux 12 (bookworm)  image /srv/image")


def test_the_ports_that_the_headline_leaves_out_are_counted() -> None:
    ports = [*range(5000, 5006), *range(6000, 6009)]
    open_ports = [
        build.exposure(
            build.listener(f"{port}/tcp", unit=f"{port}.service"), verdict=Verdict.NOT_ALLOWED
        )
        for port in ports[:6]
    ]
    open_ports += [
        build.exposure(build.listener(f"{port}/tcp"), verdict=Verdict.NOT_ALLOWED)
        for port in ports[6:]
    ]
    assert "5005/tcp, 9 more" in plain.status(build.case(*open_ports), Look(width=200))
