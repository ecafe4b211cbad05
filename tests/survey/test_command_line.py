import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.survey.command_line import HIDDEN, masked

SECRET = "hunter2"  # noqa: S105 - the tests look for it


@pytest.mark.parametrize(
    ("given_line", "shown"),
    [
        ("server --password=hunter2 -v", "server --password=*** -v"),
        ("server --password hunter2 -v", "server --password *** -v"),
        ("server -password hunter2", "server -password ***"),
        ("env DB_PASSWORD=hunter2 app", "env DB_PASSWORD=*** app"),
        ("env PGPASSWORD=hunter2", "env PGPASSWORD=***"),
        ("env MYSQL_PWD=hunter2", "env MYSQL_PWD=***"),
        ("app --api-key=hunter2", "app --api-key=***"),
        ("app --apikey hunter2", "app --apikey ***"),
        ("app --auth_token=hunter2", "app --auth_token=***"),
        ("app --client-secret hunter2", "app --client-secret ***"),
        ("redis-server --requirepass hunter2", "redis-server --requirepass ***"),
        ("redis-cli -a hunter2", "redis-cli -a ***"),
        ("mysql -phunter2 -u root", "mysql -p*** -u root"),
        ("/usr/bin/sshpass -p hunter2 ssh", "/usr/bin/sshpass -p *** ssh"),
        ("curl -u me:hunter2 http://x", "curl -u *** http://x"),
        ("curl --user me:hunter2 http://x", "curl --user *** http://x"),
        ("app me:hunter2@tcp(db:3306)/x", "app me:***@tcp(db:3306)/x"),
        ("app me:hunter2@(db:3306)/x", "app me:***@(db:3306)/x"),
        ("app postgres://me:hunter2@db/x", "app postgres://me:***@db/x"),
        ("app http://x/?token=hunter2&v=1", "app http://x/?token=***&v=1"),
        ("java jdbc:x;password=hunter2;ssl=1", "java jdbc:x;password=***;ssl=1"),
    ],
)
def test_values_of_secrets_are_hidden(given_line: str, shown: str) -> None:
    assert masked(tuple(given_line.split(" "))) == tuple(shown.split(" "))


@pytest.mark.parametrize(
    "line",
    [
        "nginx: master process /usr/sbin/nginx",
        "sshd -D -p 22",
        "app --password-file=/etc/app/secret",
        "app --key-file /etc/ssl/key.pem --tls-key=/etc/ssl/key.pem",
        "app --token-ttl=60",
        "app http://host:8080/path@x",
        "mysql -p -u root",
        "rsync me@host:a/b(c) x:y",
        "postgres -D /var/lib/postgresql -p 5432",
    ],
)
def test_nothing_else_is_touched(line: str) -> None:
    arguments = tuple(line.split(" "))
    assert masked(arguments) == arguments


def test_a_title_in_one_argument_is_searched_too() -> None:
    assert masked(("worker --password hunter2 idle",)) == ("worker --password *** idle",)
    assert masked(("Authorization: Bearer hunter2",)) == (f"Authorization: Bearer {HIDDEN}",)


@given(
    st.sampled_from(["--password", "--db.passwd", "-token", "--secret", "--X-Api-Key"]),
    st.text("abcdefgh123&;= ", min_size=8).filter(lambda text: text.strip() == text),
    st.booleans(),
)
def test_a_named_secret_never_shows(option: str, value: str, joined: bool) -> None:  # noqa: FBT001 - drawn
    arguments = (f"{option}={value}",) if joined else (option, value)
    assert value not in " ".join(masked(("app", *arguments)))


@given(st.lists(st.text()).map(tuple))
def test_any_command_line_keeps_its_length(arguments: tuple[str, ...]) -> None:
    assert len(masked(arguments)) == len(arguments)
