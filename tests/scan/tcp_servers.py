"""Real servers over TCP, each as a stranger would meet it."""

from collections.abc import Iterator
from contextlib import contextmanager

from real_servers import Room

PACKAGES = (
    *("openssh-server", "nginx-light", "postgresql-15", "redis-server", "mosquitto", "vsftpd"),
    *(
        "dovecot-imapd",
        "dovecot-pop3d",
        "mariadb-server-core",
        "mariadb-client-core",
        "memcached",
        "slapd",
        "bind9",
    ),
    *("rpcbind", "inetutils-telnetd", "inetutils-inetd", "prosody", "rsync", "postfix", "samba"),
    *("xvfb", "xrdp", "ngircd", "krb5-kdc", "tigervnc-standalone-server", "netbase"),
)

SERVERS = {
    13: "daytime",
    19: "chargen",
    21: "ftp",
    22: "ssh",
    23: "telnet",
    25: "smtp",
    53: "dns",
    80: "http",
    110: "pop3",
    111: "rpcbind",
    143: "imap",
    389: "ldap",
    443: "https",
    445: "smb",
    465: "submissions",
    636: "ldaps",
    873: "rsync",
    993: "imaps",
    995: "pop3s",
    1883: "mqtt",
    3306: "mysql",
    3389: "rdp",
    5222: "xmpp-client",
    5269: "xmpp-server",
    5432: "postgresql",
    5901: "vnc",
    6007: "x11",
    6379: "redis",
    6667: "irc",
    8883: "mqtts",
    11211: "memcached",
    # Where nobody would look for them:
    40022: "ssh",
    40080: "http",
    40379: "redis",
    40432: "postgresql",
    40443: "https",
    40444: "https",
    40445: "",
}
"""Port -> what is to be recognised there; the last wants a certificate of its clients."""


@contextmanager
def room_of_servers() -> Iterator[tuple[Room, dict[int, str]]]:
    """A room where all of them run; the ports with what answers there."""
    with Room(*PACKAGES) as here:
        here.users(
            *("sshd", "postgres", "redis", "mosquitto", "ftp", "dovecot", "dovenull", "_rpc"),
            *("postfix", "postdrop", "mysql", "irc", "openldap"),
        )
        here.run(
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key -out /tmp/certificate "
            "-subj /O=Ward/CN=ward.test -addext subjectAltName=DNS:ward.test,IP:192.0.2.1 -days 30"
        )
        here.run("chmod 644 /tmp/key")
        for start in (_secure_shell, _web, _mail, _data, _directory, _old, _screens, _chat):
            start(here)
        here.wait_for(*SERVERS)
        yield here, SERVERS


def _secure_shell(here: Room) -> None:
    here.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/tmp/host_key"])
    here.file("/run/sshd/x")
    here.file("/tmp/sshd.conf", "HostKey /tmp/host_key\nUsePAM no\nPidFile none\n")
    for port in (22, 40022):
        here.start(f"/usr/sbin/sshd -D -e -f /tmp/sshd.conf -p {port}")


def _web(here: Room) -> None:
    here.file(
        "/tmp/nginx.conf",
        "daemon off; user root; pid /tmp/nginx.pid; error_log stderr;\n"
        "events {}\nhttp { access_log off;\n"
        "server { listen 80; listen 40080; return 200 hello; }\n"
        "server { listen 443 ssl; listen 40443 ssl; return 200 hello;\n"
        "  ssl_certificate /tmp/certificate; ssl_certificate_key /tmp/key;\n"
        "  ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers ALL:@SECLEVEL=0; } }\n",
    )
    openssl = "openssl s_server -key /tmp/key -cert /tmp/certificate -www"
    here.start(f"{openssl} -accept 40444 -tls1_3")
    here.start(f"{openssl} -accept 40445 -tls1_2 -Verify 1")
    here.start("/usr/sbin/nginx -e stderr -c /tmp/nginx.conf")


def _mail(here: Room) -> None:
    here.file(
        "/tmp/dovecot.conf",
        "protocols = imap pop3\nbase_dir = /run/dovecot\nlog_path = /dev/stderr\n"
        "ssl = yes\nssl_cert = </tmp/certificate\nssl_key = </tmp/key\n"
        "passdb {\n driver = static\n args = password=x\n}\n"
        "userdb {\n driver = static\n args = uid=nobody gid=nogroup home=/tmp\n}\n",
    )
    here.start("/usr/sbin/dovecot -F -c /tmp/dovecot.conf")
    here.run("mkdir -p /tmp/spool /tmp/postfix-data")
    here.run("chown postfix /tmp/postfix-data")
    here.file("/etc/postfix/dynamicmaps.cf")
    here.run("cp -r /etc/postfix /tmp/postfix")
    here.run("cp /usr/share/postfix/master.cf.dist /tmp/postfix/master.cf")
    master = here.file("/tmp/postfix/x").with_name("master.cf")
    text = master.read_text().replace("       y       ", "       n       ")
    services = "465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n"
    master.write_text(text + services)
    here.file(
        "/tmp/postfix/main.cf",
        "compatibility_level = 3.6\nmyhostname = ward.test\nqueue_directory = /tmp/spool\n"
        "data_directory = /tmp/postfix-data\nsmtpd_tls_cert_file = /tmp/certificate\n"
        "smtpd_tls_key_file = /tmp/key\nsmtpd_tls_security_level = may\n"
        "maillog_file = /dev/stdout\n"
        "inet_interfaces = all\nmail_owner = postfix\nsetgid_group = postdrop\n",
    )
    here.start("postfix -c /tmp/postfix start-fg")


def _data(here: Room) -> None:
    here.run("mkdir -p /tmp/pg /tmp/pg-socket /tmp/maria")
    here.run("chown postgres /tmp/pg /tmp/pg-socket")
    here.run("setpriv --reuid=postgres --clear-groups /usr/lib/postgresql/15/bin/initdb -D /tmp/pg")
    here.run("cp /tmp/key /tmp/pg-key")
    here.run("chown postgres /tmp/pg-key")
    here.run("chmod 600 /tmp/pg-key")
    here.run("cp -a /tmp/pg /tmp/pg2")
    postgres = (
        "setpriv --reuid=postgres --clear-groups /usr/lib/postgresql/15/bin/postgres "
        "-k /tmp/pg-socket -c listen_addresses=*"
    )
    here.start(
        f"{postgres} -D /tmp/pg -p 5432 -c ssl=on -c ssl_cert_file=/tmp/certificate "
        "-c ssl_key_file=/tmp/pg-key"
    )
    here.start(f"{postgres} -D /tmp/pg2 -p 40432")
    for port in (6379, 40379):
        here.start(f"redis-server --port {port} --save '' --protected-mode no --dir /tmp")
    here.start("memcached -u root")
    here.run("mariadb-install-db --user=root --datadir=/tmp/maria --skip-test-db")
    here.start(
        "mariadbd --no-defaults --user=root --datadir=/tmp/maria --socket=/tmp/maria.sock "
        "--ssl-cert=/tmp/certificate --ssl-key=/tmp/key --bind-address=0.0.0.0"
    )
    here.file(
        "/tmp/mosquitto.conf",
        "user root\nlistener 1883\nallow_anonymous true\n"
        "listener 8883\ncertfile /tmp/certificate\nkeyfile /tmp/key\n",
    )
    here.start("mosquitto -c /tmp/mosquitto.conf")


def _directory(here: Room) -> None:
    here.run("mkdir -p /tmp/ldap")
    here.file(
        "/tmp/slapd.conf",
        "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
        "TLSCertificateFile /tmp/certificate\nTLSCertificateKeyFile /tmp/key\n"
        "database mdb\nsuffix dc=ward,dc=test\ndirectory /tmp/ldap\nmaxsize 1048576\n",
    )
    urls = "ldap:/// ldaps:///"
    here.start(["slapd", "-d", "0", "-f", "/tmp/slapd.conf", "-h", urls])
    here.file(
        "/tmp/named.conf",
        'options { directory "/tmp"; recursion no; pid-file none; session-keyfile none; };'
        "controls { };",
    )
    here.start("named -f -g -c /tmp/named.conf")
    here.start("rpcbind -f -w")
    for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "log"):
        here.file(f"/tmp/smb/{name}/x")
    places = "".join(
        f"{option} = /tmp/smb/{name}\n"
        for option, name in (
            ("private dir", "private"),
            ("lock directory", "lock"),
            ("state directory", "state"),
            ("cache directory", "cache"),
            ("pid directory", "pid"),
            ("ncalrpc dir", "ncalrpc"),
        )
    )
    here.file("/tmp/smb.conf", f"[global]\nsmb ports = 445\ndisable spoolss = yes\n{places}")
    here.start("smbd -F --no-process-group --debug-stdout -s /tmp/smb.conf")


def _old(here: Room) -> None:
    here.file(
        "/tmp/inetd.conf",
        "daytime stream tcp nowait root internal\nchargen stream tcp nowait root internal\n"
        "telnet stream tcp nowait root /usr/sbin/telnetd telnetd\n",
    )
    here.start("inetutils-inetd -d /tmp/inetd.conf")
    here.file(
        "/tmp/vsftpd.conf",
        "listen=YES\nbackground=NO\nanonymous_enable=YES\nssl_enable=YES\n"
        "rsa_cert_file=/tmp/certificate\nrsa_private_key_file=/tmp/key\nseccomp_sandbox=NO\n"
        "secure_chroot_dir=/run/vsftpd/empty\nallow_anon_ssl=YES\n",
    )
    here.file("/run/vsftpd/empty/.x")
    here.start("vsftpd /tmp/vsftpd.conf")
    here.file("/tmp/rsyncd.conf", "use chroot = no\n[srv]\npath = /srv\n")
    here.start("rsync --daemon --no-detach --config=/tmp/rsyncd.conf")


def _screens(here: Room) -> None:
    here.run("mkdir -p /tmp/.X11-unix")
    here.start("Xvfb :7 -listen tcp -ac")
    here.start("Xtigervnc :1 -SecurityTypes None -rfbport 5901 -localhost 0")
    here.file(
        "/tmp/xrdp.ini",
        "[Globals]\nport=3389\nsecurity_layer=negotiate\ncertificate=/tmp/certificate\n"
        "key_file=/tmp/key\nssl_protocols=TLSv1.2, TLSv1.3\n[Logging]\nLogFile=/tmp/xrdp.log\n"
        "[Xorg]\nname=Xorg\nlib=libxup.so\n",
    )
    here.run("xrdp-keygen xrdp /etc/xrdp/rsakeys.ini")
    here.start("xrdp --nodaemon --config /tmp/xrdp.ini")


def _chat(here: Room) -> None:
    here.file(
        "/tmp/ngircd.conf",
        "[Global]\nName = irc.ward.test\nInfo = x\nServerUID = root\nServerGID = root\n"
        "[Limits]\n[Options]\nIdent = no\nPAM = no\n",
    )
    here.start("ngircd -n -f /tmp/ngircd.conf")
    here.file(
        "/tmp/prosody.cfg.lua",
        'admins = { }\nmodules_enabled = { "tls", "saslauth", "dialback" }\n'
        'daemonize = false\nrun_as_root = true\npidfile = "/tmp/prosody.pid"\n'
        'data_path = "/tmp"\nlog = { { levels = { min = "info" }, to = "console" } }\n'
        'ssl = { certificate = "/tmp/certificate", key = "/tmp/key" }\n'
        'VirtualHost "localhost"\n',
    )
    here.start("prosody --config /tmp/prosody.cfg.lua")
