"""How the firewall comes back with every boot: a file for nft, and a unit that loads it."""

CHOICE = "/etc/portward/through"
"""Holds the name of the tool that portward works through; not there where it loads its table."""
FILE = "/etc/portward/firewall.nft"
UNIT = "portward-firewall.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
UNIT_TEXT = f"""\
# Written by portward; portward rollback takes it back.
[Unit]
Description=Firewall of portward
Documentation=man:nft(8)
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
# Tools that begin by flushing all tables come first.
After=local-fs.target nftables.service netfilter-persistent.service ufw.service
ConditionFileNotEmpty={FILE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {FILE}
ExecReload=/usr/sbin/nft -f {FILE}
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_NET_ADMIN
RestrictAddressFamilies=AF_NETLINK

[Install]
WantedBy=sysinit.target
"""
"""Early enough that no interface is up before it (systemd.special(7), network-pre.target)."""
