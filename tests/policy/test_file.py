"""The policy file: what it means, and every way to get it wrong."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

import build
from portward.model.errors import PolicyError
from portward.model.policy import Policy, Profile
from portward.model.service import Audience, Need
from portward.policy.file import parse

KNOWN = build.catalogue(
    build.service("https", "443/tcp", "443/udp", audience=Audience.ANYONE),
    build.service("ssh", "22/tcp"),
    build.service("published"),
    build.service("mountd", dynamic=True),
    roles={
        "web-server": build.role(
            "web-server",
            needs=(
                Need(service="https", audience=Audience.ANYONE, reason="pages"),
                Need(
                    service="ssh", audience=Audience.PRIVATE, optional=True, reason="administration"
                ),
            ),
        ),
        "isolated": build.role("isolated"),
    },
)
HEAD = 'roles = ["web-server"]\n'


def read(text: str) -> Policy:
    return parse(text, "p.toml", KNOWN)


def test_the_whole_example() -> None:
    policy = read(
        """\
roles = ["web-server"]
profile = "server"

[networks]
admin = ["203.0.113.0/24", "2001:db8::/48"]
office = "198.51.100.7"

[[allow]]
service = "ssh"
from = "admin"

[[allow]]
port = "8080/tcp"
program = "/usr/bin/gunicorn"
from = ["office", "192.0.2.0/24"]
reason = "staging API"
until = 2026-12-31

[[suppress]]
finding = "PW-1f2e3d4c"
reason = "replaced in May"
until = 2026-05-31
"""
    )
    ssh, staging, https = policy.allowances
    assert (ssh.service, [str(one) for one in ssh.ports]) == ("ssh", ["22/tcp"])
    assert ssh.sources.networks == ("203.0.113.0/24", "2001:db8::/48")
    assert (ssh.sources.audience, ssh.sources.label) == (Audience.PRIVATE, "admin")
    assert (ssh.origin, ssh.required) == ("p.toml:8", False)
    assert (staging.service, [str(one) for one in staging.ports]) == (None, ["8080/tcp"])
    assert staging.sources.networks == ("198.51.100.7/32", "192.0.2.0/24")
    assert staging.sources.label == "office, 192.0.2.0/24"
    assert staging.program == "/usr/bin/gunicorn"
    assert (staging.reason, staging.until) == ("staging API", date(2026, 12, 31))
    assert (https.service, https.origin, https.required) == ("https", "role web-server", True)
    assert policy.suppressions[0].origin == "p.toml:19"
    assert (policy.profile, policy.source, policy.recognised) == (Profile.SERVER, "p.toml", False)


def test_a_service_with_a_port_is_that_service_on_that_port() -> None:
    ssh = read(HEAD + '[[allow]]\nservice = "ssh"\nport = "2222/tcp"\nfrom = "any"\n').allowances[0]
    assert (ssh.service, [str(one) for one in ssh.ports]) == ("ssh", ["2222/tcp"])


def test_a_service_that_takes_any_port_needs_none() -> None:
    assert read(HEAD + '[[allow]]\nservice = "mountd"\nfrom = "host"\n').allowances[0].ports == ()


@pytest.mark.parametrize(
    ("written", "audience", "networks"),
    [
        ('"any"', Audience.ANYONE, ()),
        ('"private"', Audience.PRIVATE, ()),
        ('"host"', Audience.HOST, ()),
        ('"0.0.0.0/0"', Audience.ANYONE, ("0.0.0.0/0",)),
        ('["10.0.0.0/8", "::/0"]', Audience.ANYONE, ("10.0.0.0/8", "::/0")),
        ('["127.0.0.0/8", "::1"]', Audience.HOST, ("127.0.0.0/8", "::1/128")),
        ('"198.51.100.7"', Audience.PRIVATE, ("198.51.100.7/32",)),
        ('["10.0.0.0/8", "10.0.0.0/8"]', Audience.PRIVATE, ("10.0.0.0/8",)),
    ],
)
def test_from_in_all_its_forms(written: str, audience: Audience, networks: tuple[str, ...]) -> None:
    sources = read(f'{HEAD}[[allow]]\nport = "1/tcp"\nfrom = {written}\n').allowances[0].sources
    assert (sources.audience, sources.networks) == (audience, networks)


def test_private_may_be_given_a_meaning() -> None:
    policy = read(HEAD + '[networks]\nprivate = "203.0.113.0/24"\n')
    ssh = policy.allowances[1]
    assert (ssh.sources.label, ssh.sources.networks) == ("private", ("203.0.113.0/24",))


MEANT = (
    "is an address with a length, not a network"
    ' (the network is "203.0.113.0/24", the one host is "203.0.113.7")'
)
NO_DATE = "must be a date without quotes like 2026-12-31"
NETWORK = '(write it like "192.0.2.0/24" or "2001:db8::/48")'
FROM = '(write "any", "private", "host", the name of a network, or a list of networks)'
PORT = '(write it like "22/tcp" or "6000-6063/tcp")'
ID = '(write it like "PW-1f2e3d4c" or "open-not-allowed")'
ALLOW = HEAD + "[[allow]]\n"
SUPPRESS = HEAD + "[[suppress]]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", '1: the key "roles" is missing'),
        ("roles = []", '1: roles: names no role (a machine for nothing is "isolated")'),
        ('roles = "web-server"', "1: roles: must be a list, not text in quotes"),
        (
            'roles = [\n"isolated",\n"web-sever"]',
            '1: roles[1]: there is no role "web-sever" (did you mean "web-server"?)',
        ),
        (
            'roles = ["isolated", "isolated"]',
            '1: roles[1]: role "isolated" is named twice',
        ),
        (HEAD + 'profil = "home"', '2: profil: unknown key (did you mean "profile"?)'),
        (HEAD + 'profile = "hom"', '2: profile: unknown word "hom" (did you mean "home"?)'),
        (HEAD + "x = ", "2: not TOML: invalid value"),
        (HEAD + HEAD, "2: not TOML: cannot overwrite a value"),
        (
            HEAD + '[networks]\nadmin = ["10.0.0.0/8", "203.0.113.7/24"]',
            f'3: networks.admin[1]: "203.0.113.7/24" {MEANT}',
        ),
        (
            HEAD + '[networks]\nadmin = "10.0.0.0/33"',
            f'3: networks.admin: "10.0.0.0/33" is no network {NETWORK}',
        ),
        (
            HEAD + '[networks]\nadmin = "fe80::%eth0"',
            f'3: networks.admin: "fe80::%eth0" has an interface in it {NETWORK}',
        ),
        (HEAD + "[networks]\nadmin = []", "3: networks.admin: names no network"),
        (HEAD + "[networks]\nadmin = 1", "3: networks.admin: must be a list, not a number"),
        (
            HEAD + '[networks]\nany = "10.0.0.0/8"',
            '3: networks.any: "any" has a meaning already (choose another name)',
        ),
        (
            HEAD + '[networks]\n"10" = "10.0.0.0/8"',
            "3: networks.10: a name has letters, digits, - and _, a letter first",
        ),
        (
            ALLOW + 'service = "ssh"',
            f'2: allow[0]: the key "from" is missing {FROM}',
        ),
        (ALLOW + 'from = "any"', '2: allow[0]: neither "service" nor "port" says what is allowed'),
        (
            ALLOW + 'service = "shh"\nfrom = "any"',
            '3: allow[0].service: there is no service "shh" (did you mean "ssh"?)',
        ),
        (
            ALLOW + 'service = "published"\nfrom = "any"',
            '3: allow[0].service: has no port of its own (add "port")',
        ),
        (
            ALLOW + 'sevice = "ssh"\nfrom = "any"',
            '3: allow[0].sevice: unknown key (did you mean "service"?)',
        ),
        (
            ALLOW + 'port = "22"\nfrom = "any"',
            '3: allow[0].port: "22" is no port (write it like "22/tcp" or "6000-6063/tcp")',
        ),
        (
            ALLOW + 'port = 22\nfrom = "any"',
            "3: allow[0].port: must be text in quotes, not a number",
        ),
        (
            ALLOW + 'port = "70000/tcp"\nfrom = "any"',
            '3: allow[0].port: "70000/tcp" is no port (write it like "22/tcp" or "6000-6063/tcp")',
        ),
        (
            ALLOW + 'port = "1/tcp"\nfrom = "admn"\n[networks]\nadmin = "10.0.0.0/8"',
            '4: allow[0].from: there is no network "admn" under [networks] (did you mean "admin"?)',
        ),
        (
            ALLOW + 'port = "1/tcp"\nfrom = ["10.0.0.0/8", "any"]',
            '4: allow[0].from[1]: "any" stands alone, not in a list',
        ),
        (
            ALLOW + 'port = "1/tcp"\nfrom = []',
            f"4: allow[0].from: names nobody {FROM}",
        ),
        (
            ALLOW + 'port = "1/tcp"\nfrom = "any"\nprogram = "nginx"',
            '5: allow[0].program: is no full path (write it like "/usr/sbin/nginx")',
        ),
        (
            ALLOW + 'port = "1/tcp"\nfrom = "any"\nuntil = "2026-12-31"',
            f"5: allow[0].until: {NO_DATE}, not text in quotes",
        ),
        (
            ALLOW + 'port = "1/tcp"\nfrom = "any"\nuntil = 2026-12-31T10:00:00',
            f"5: allow[0].until: {NO_DATE}, not a date with a time",
        ),
        (HEAD + "[allow]\nx = 1", "2: allow: must be a list, not a table (write [[allow]])"),
        (
            SUPPRESS + 'finding = "PW-1"\nreason = "x"\nuntil = 2026-12-31',
            f'3: suppress[0].finding: "PW-1" is no id of a finding or a check {ID}',
        ),
        (
            SUPPRESS + 'finding = "PW-1f2e3d4c"\nuntil = 2026-12-31',
            '2: suppress[0]: the key "reason" is missing',
        ),
        (
            SUPPRESS + 'finding = "PW-1f2e3d4c"\nreason = " "\nuntil = 2026-12-31',
            "4: suppress[0].reason: says nothing (say why it may stay)",
        ),
        (
            SUPPRESS + 'finding = "PW-1f2e3d4c"\nreason = "x"',
            '2: suppress[0]: the key "until" is missing',
        ),
    ],
)
def test_every_mistake_has_file_line_key_and_mend(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(text)
    assert str(caught.value) == f"p.toml:{message}"


SCALARS = st.one_of(
    st.sampled_from(['"web-server"', '"any"', '"ssh"', '"10.0.0.0/8"', '"22/tcp"', "2026-12-31"]),
    st.integers().map(str),
    st.text(max_size=8).map('"{}"'.format),
    st.just("1e400"),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3).map(lambda all_: f"[{', '.join(all_)}]"))
TOP = ["roles", "profile", "networks", "allow", "suppress"]
BELOW = ["from", "service", "port", "program", "until", "reason", "finding", "admin"]
KEYS = st.sampled_from([*TOP, *BELOW, "a.b", '"x y"'])
LINES = st.one_of(
    st.sampled_from(["[networks]", "[[allow]]", "[[suppress]]", "[allow]", "[[networks.x]]"]),
    st.builds("{} = {}".format, KEYS, VALUES),
    st.text(max_size=10),
)


@given(st.sampled_from(["", HEAD]), st.lists(LINES, max_size=10))
def test_whatever_is_wrong_is_a_policy_error_with_a_line(head: str, lines: list[str]) -> None:
    text = head + "\n".join(lines)
    try:
        policy = read(text)
    except PolicyError as wrong:
        name, line = wrong.where.split(":")[:2]
        outcome = name == "p.toml" and 1 <= int(line) <= text.count("\n") + 1
    else:
        outcome = bool(policy.roles)
    assert outcome


# --- [[outgoing]] ------------------------------------------------------------------------------

SENT = """\
roles = ["web-server"]

[networks]
mirror = ["198.51.100.0/28", "2001:db8:1::/64"]

[[outgoing]]
service = "https"
to = "mirror"
reason = "packages"

[[outgoing]]
port = "53/udp"
to = ["mirror", "192.0.2.1"]
"""


def test_what_may_be_sent_is_named_by_service_or_port() -> None:
    first, second = parse(SENT, "p.toml", KNOWN).outgoing
    assert [str(one) for one in first.ports] == ["443/tcp", "443/udp"]
    assert first.to.networks == ("198.51.100.0/28", "2001:db8:1::/64")
    assert (first.reason, first.origin) == ("packages", "p.toml:6")
    assert [str(one) for one in second.ports] == ["53/udp"]
    assert second.to.networks[-1] == "192.0.2.1/32"


def test_without_a_word_on_it_anything_may_be_sent() -> None:
    assert parse('roles = ["web-server"]', "p.toml", KNOWN).outgoing == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('to = "mirror"\n', ""), 'p.toml:6: outgoing[0]: the key "to" is missing'),
        (
            ('to = "mirror"', 'to = "host"'),
            "p.toml:8: outgoing[0].to: this machine may always send",
        ),
        (('to = "mirror"', 'to = "miror"'), 'there is no network "miror" under [networks]'),
        (('to = "mirror"', 'to = "any"\nfrom = "any"'), "outgoing[0].from: unknown key"),
        (('service = "https"', 'service = "htps"'), 'there is no service "htps"'),
        (('service = "https"\n', ""), 'neither "service" nor "port" says what is allowed'),
        (('"https"', '"published"'), 'outgoing[0].service: has no port of its own (add "port")'),
        (('"53/udp"', '"53"'), 'outgoing[1].port: "53" is no port'),
        (("[[outgoing]]\nservice", "[outgoing]\nservice"), "p.toml"),
    ],
)
def test_a_mistake_in_what_may_be_sent_is_named(change: tuple[str, str], said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(SENT.replace(*change), "p.toml", KNOWN)
    assert said in str(caught.value)
