"""One shop's network in namespaces: phones on a bridge, the router, and the Internet behind it.

    phone0 … phone50 ── br-guest 10.77.0.1 ── router ── wan0 203.0.113.2 ── the Internet, 198.51.100.0/24

For a process that is alone in namespaces of its own (network, mounts, processes): the kernel ends and forgets
all of this with it. What the servers measured here write (/run, /tmp, /etc, dnsmasq's leases) are private
copies.
"""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

ROUTER = "10.77.0.1"
FOREIGN = "198.51.100.7"  # somebody's server in the Internet; nothing in the shop has this address
OPEN_PORT = 443  # where the Internet listens for who is let through; port 80 is led to the portal
SHOP = Path("/run/shop")
# Locally administered, as phones have made up theirs for years.
MAC = "02:00:00:00:77:{:02x}"
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def sh(*command, **options):
    return subprocess.run(command, check=True, text=True, **options)


def ip(space, lines):
    sh("ip", "-n", space, "-batch", "-", input=lines)


def inside(space, *command):
    """The command, to be run in there."""
    return ["nsenter", f"--net=/run/netns/{space}", *map(str, command)]


def make_private(things):
    """Puts private folders over those that servers write to, with copies of `things` in `SHOP`, by their name."""
    sh("mount", "-t", "tmpfs", "shop", "/run")
    shutil.copytree("/etc", SHOP / "etc", symlinks=True)
    # Before their own folders may be hidden.
    for name, source in things.items():
        (shutil.copytree if Path(source).is_dir() else shutil.copy)(source, SHOP / name)
    (SHOP / "etc/dnsmasq.conf").touch()  # openNDS writes its own name there
    sh("mount", "--bind", SHOP / "etc", "/etc")
    for folder in ("/tmp", "/var/lib/misc"):
        sh("mount", "-t", "tmpfs", "shop", folder)
    os.chdir(SHOP)


class Phone:
    def __init__(self, number):
        self.space = f"phone{number}"
        self.mac = MAC.format(number)
        self.address = f"10.77.1.{number + 1}"


class Lab:
    """The network, up, with its phones joined."""

    def __init__(self, phones):
        self.spaces = {}
        for space in ("router", "wan"):
            self.add(space)
        self.router()
        self.phones = [self.phone(Phone(number)) for number in range(phones)]
        self.internet()
        # openNDS lets nobody in whom dnsmasq gave no lease.
        leases = [f"4102444800 {phone.mac} {phone.address} {phone.space} *\n" for phone in self.phones]
        Path("/var/lib/misc/dnsmasq.leases").write_text("".join(leases))

    def add(self, space):
        sh("ip", "netns", "add", space)
        ip(space, "link set lo up\n")
        self.spaces[space] = os.open(f"/run/netns/{space}", os.O_RDONLY)

    def router(self):
        ip("router", f"link add br-guest type bridge\naddr add {ROUTER}/16 dev br-guest\nlink set br-guest up\n"
                     "link add wan0 type veth peer name eth0 netns wan\n"
                     "addr add 203.0.113.2/24 dev wan0\nlink set wan0 up\nroute add default via 203.0.113.1\n")
        # A local route to a whole network makes the machine every address in it.
        ip("wan", "addr add 203.0.113.1/24 dev eth0\nlink set eth0 up\n"
                  "route add local 198.51.100.0/24 dev lo\nroute add 10.77.0.0/16 via 203.0.113.2\n")
        # A wall that refuses by ICMP shall not be measured by how many of those the kernel sends in a second.
        for key, value in {"ip_forward": 1, "icmp_ratelimit": 0, "icmp_msgs_per_sec": 1_000_000}.items():
            with self.at("router"), contextlib.suppress(FileNotFoundError):
                Path(f"/proc/sys/net/ipv4/{key}").write_text(f"{value}\n")

    def phone(self, phone):
        self.add(phone.space)
        ip("router", f"link add {phone.space} type veth peer name eth0 address {phone.mac} netns {phone.space}\n"
                     f"link set {phone.space} master br-guest up\n")
        ip(phone.space, f"addr add {phone.address}/16 dev eth0\nlink set eth0 up\n"
                        f"route add default via {ROUTER}\n")
        return phone

    def internet(self):
        """Takes every connection and hangs up, until the end."""
        with self.at("wan"):
            listener = socket.create_server(("", OPEN_PORT), backlog=1024)

        def hang_up():
            while True:
                listener.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()

    @contextlib.contextmanager
    def at(self, space):
        """This thread is in there; a socket stays for good where it was made."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            enter(self.spaces[space])
            yield
        finally:
            enter(home)
            os.close(home)

    def socket(self, phone):
        with self.at(phone.space):
            return socket.socket()

    def no_rules(self):
        """Takes down whatever wall there is, and forgets its connections."""
        sh(*inside("router", "nft", "flush", "ruleset"))


def enter(space):
    if libc.setns(space, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
