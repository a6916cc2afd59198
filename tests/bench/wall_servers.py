"""The three that are measured, each in the lab's router: how it is started, and how a guest gets through it."""

import base64
import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import wall_phone
from wall_lab import FOREIGN, ROUTER, SHOP, inside, sh
from wall_phone import NotMeasured

TICK = 1 / os.sysconf("SC_CLK_TCK")
STARTS_WITHIN = 20


class Server:
    """A process we started, with those it started."""

    def __init__(self, process):
        self.process = process

    def pids(self):
        found, new = [], [self.process.pid]
        while new:
            found += new
            new = [child for pid in new for child in children(pid)]
        return found

    def cpu_seconds(self):
        """User and system time of all its processes, those included that have come and gone."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                # The command's name may hold blanks; what follows the bracket does not.
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += sum(map(int, fields[11:15]))
        return total * TICK

    def settle(self):
        """Waits until it has nothing left to do: it may still answer what nobody waits for any more, and an
        address has 64 connections at the gateway, which have to be gone."""
        before = -1
        while (now := self.cpu_seconds()) - before > 0.05:
            before = now
            time.sleep(0.3)

    def resident_bytes(self):
        """Memory of the processes that stay."""
        total = 0
        for pid in [self.process.pid, *children(self.process.pid)]:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                # What `status` says is off by some hundred pages: each CPU counts for itself for a while.
                found = re.search(r"^Rss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
                total += int(found[1]) * 1024 if found else 0
        return total


def children(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@contextlib.contextmanager
def running(lab, name, command):
    """Runs it in the router until it leads a phone to a page, and ends it by its id."""
    log = SHOP / f"{name}.log"
    with log.open("w") as said:
        process = subprocess.Popen(inside("router", *command), stdout=said, stderr=said)
    try:
        began = time.monotonic()
        while not leads_somewhere(lab):
            if process.poll() is not None or time.monotonic() - began > STARTS_WITHIN:
                lines = log.read_text(errors="replace").strip().splitlines()
                raise NotMeasured(f"it did not start ({process.returncode}): " + " | ".join(lines[-3:]))
        yield Server(process)
        if process.poll() is not None:
            raise NotMeasured(f"it ended with {process.returncode} under way")
    except OSError as error:
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise NotMeasured(f"it ended with {process.wait(timeout=1)}") from error
        raise NotMeasured(str(error)) from error
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        lab.no_rules()


def leads_somewhere(lab):
    with contextlib.suppress(NotMeasured):
        return bool(wall_phone.led_to(lab, lab.phones[0], patience=0))


def rules_to(port):
    """The rules that lead a foreign port 80 to this one, as every portal's do."""
    return (f"table ip shop {{ chain lead {{ type nat hook prerouting priority dstnat; "
            f'iifname "br-guest" tcp dport 80 redirect to :{port}; }}\n}}')


class Maitred:
    name = "maitred"
    marks = b'name="tap"'  # what its page has and no other
    clicks = {"maitred": 50}
    is_slow = False
    may_fail = False

    @contextlib.contextmanager
    def started(self, lab):
        shutil.rmtree(SHOP / "state", ignore_errors=True)
        settings = SHOP / "gateway.toml"
        settings.write_text(
            f'state_dir = "{SHOP}/state"\n[portal]\nlisten = "[::]:2080"\n[bundle]\ndir = "{SHOP}/chain"\n'
            '[journal]\nin_memory = true\n[uplink]\nprobe_url = ""\n[log]\nfilter = "warn"\n'
            '[admission]\nfirewall = "nft"\n[[admission.zone]]\nname = "guest"\ninterface = "br-guest"\n'
        )
        with running(lab, self.name, [SHOP / "maitred", "gateway", "--config", settings]) as server:
            yield server

    @staticmethod
    def click(_way, _url, page):
        """The tap on "continue to the Internet"."""
        tap = re.search(rb'name="tap" value="([^"]+)"', page)[1].decode()
        return f"http://{wall_phone.PORTAL}/admit", f"tap={tap}"


class OpenNds:
    name = "openNDS"
    marks = b'name="continue"'
    clicks = {"openNDS": 6, "openNDS by its own page": 1}
    is_slow = True
    may_fail = True

    def __init__(self):
        script = Path("/usr/lib/opennds/libopennds.sh")
        if not script.exists():
            return  # it will not start, and says why
        # In lower case: its scripts look for the name written so, its daemon for either.
        Path("/etc/opennds/opennds.conf").write_text(
            "gatewayinterface br-guest\ngatewayname shop\ndebuglevel 0\nmaxclients 250\n"
            "FirewallRuleSet authenticated-users {\n}\nFirewallRuleSet preauthenticated-users {\n}\n"
            "FirewallRuleSet users-to-router {\nFirewallRule allow udp port 53\nFirewallRule allow tcp port 53\n"
            "FirewallRule allow udp port 67\nFirewallRule allow tcp port 80\n}\n"
        )
        # At the priority that it gives them, iptables 1.8.9 takes INPUT and FORWARD for no chains of its own and
        # puts no rule of openNDS into them. At iptables' own priority all of it works.
        mended = SHOP / script.name
        mended.write_text(script.read_text().replace("priority -100 ;", "priority 0 ;"))
        mended.chmod(0o755)
        sh("mount", "--bind", mended, script)
        print("openNDS runs with a mended copy of its script: as packaged, its chains INPUT and FORWARD are at a priority"
              "\nthat iptables does not take for its own, and nobody is walled", flush=True)

    @contextlib.contextmanager
    def started(self, lab):
        command = ["opennds", "-f", "-c", "/etc/opennds/opennds.conf"]
        with running(lab, self.name, command) as server:
            yield server

    @staticmethod
    def click(way, url, _page):
        fas = url.partition("fas=")[2]
        if way != "openNDS":
            return f"{url}&landing=yes", None
        # The quickest there is: what a portal of one's own would call, with the key that is its default.
        hid = re.search(rb"hid=(\w+)", base64.b64decode(fas))[1]
        token = hashlib.sha256(hid + b"1234567890").hexdigest()
        return f"http://{ROUTER}:2050/opennds_auth/?tok={token}&redir=http%3a%2f%2f{FOREIGN}%2f", None


class Nginx:
    """Set up to be as cheap as it can, with the gateway's page packed ahead and its headers."""

    name = "nginx"
    marks = b""  # the page is packed
    clicks = {}
    is_slow = False
    may_fail = False

    def __init__(self, page, headers):
        home = SHOP / "nginx"
        home.mkdir()
        (home / "page.gz").write_bytes(page)
        # nginx writes these itself; `connection: close` was meant for the one who fetched the page.
        own = {"content-type", "content-length", "content-encoding", "date", "connection"}
        added = "".join(f'add_header {name} "{value}"; ' for name, value in headers.items() if name not in own)
        # A foreign host is led on, and the portal's own name has the page, as with the gateway.
        (home / "nginx.conf").write_text(
            f"""
            user root; daemon off; worker_processes auto; pid {home}/pid; error_log stderr warn;
            events {{ worker_connections 1024; }}
            http {{
                access_log off; server_tokens off; etag off; sendfile off; tcp_nodelay on;
                open_file_cache max=100; open_file_cache_valid 60s;
                keepalive_requests 1000000000; keepalive_timeout 1h;
                default_type "text/html; charset=utf-8"; gzip_static always;
                server {{ listen 2080 default_server;
                          location / {{ add_header Cache-Control no-store; return 302 http://{wall_phone.PORTAL}/; }} }}
                server {{ listen 2080; server_name {wall_phone.PORTAL};
                          root {home}; {added} location = / {{ rewrite ^ /page break; }} }}
            }}
            """
        )

    @contextlib.contextmanager
    def started(self, lab):
        sh(*inside("router", "nft", rules_to(2080)))
        home = SHOP / "nginx"
        with running(lab, self.name, ["/usr/sbin/nginx", "-p", home, "-c", home / "nginx.conf"]) as server:
            yield server
