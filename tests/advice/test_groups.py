"""Listeners that a person sees as one thing, and what it is called."""

from typing import Any

import build
from portward.advice.groups import grouped, grouped_by_program
from portward.model.status import Exposure

HTTP = build.service("http", "80/tcp", title="Web server")


def listener(port: str, exe: str, *, known: bool = False, **facts: Any) -> Exposure:
    given: dict[str, Any] = {"exe": exe, "unit": "shop.service", "package": None}
    return build.exposure(build.listener(port, **given | facts), HTTP if known else None)


def test_every_program_of_a_unit_is_named() -> None:
    (group,) = grouped([listener("9000/tcp", "/opt/b"), listener("80/tcp", "/opt/a")])
    assert group.owner == "/opt/a, /opt/b"
    assert group.subject == "80/tcp, 9000/tcp (/opt/a, /opt/b)"
    assert group.name == "/opt/a, /opt/b (80/tcp, 9000/tcp)"


def test_a_program_that_is_nothing_known_is_named_beside_one_that_is() -> None:
    known = listener("80/tcp", "/usr/sbin/nginx", known=True, package="nginx")
    (group,) = grouped([known, listener("9000/tcp", "/opt/b")])
    assert group.name == "Web server, /opt/b (80/tcp, 9000/tcp)"


def test_a_second_port_of_a_known_program_does_not_name_it_again() -> None:
    known = listener("80/tcp", "/usr/sbin/nginx", known=True, package="nginx")
    (group,) = grouped([known, listener("81/tcp", "/usr/sbin/nginx", package="nginx")])
    assert group.name == "Web server (80/tcp, 81/tcp)"
    assert group.owner == "nginx"


def test_systemd_is_not_named_beside_what_it_starts() -> None:
    waits = listener(
        "80/tcp", "/usr/lib/systemd/systemd", unit="shop.socket", activates="shop.service"
    )
    (group,) = grouped([waits, listener("9000/tcp", "/opt/b")])
    assert group.owner == "/opt/b"
    (alone,) = grouped([waits])
    assert alone.owner == "/usr/lib/systemd/systemd"


def test_programs_are_parted_where_each_is_judged() -> None:
    both = [listener("80/tcp", "/opt/a"), listener("9000/tcp", "/opt/b")]
    assert [group.owner for group in grouped_by_program(both)] == ["/opt/a", "/opt/b"]
