"""Measures the gateway beside nginx and beside a bare append loop, and prints the comparison.

`tests/bench/run` installs, builds and calls this. Everything runs on loopback with the real binary in folder
mode, in rounds that alternate between the two sides, so that a busy minute of the machine hits both. Every
round begins with an empty journal: a queue nobody drains would be full after 320,000 views and the views
would cost nothing from then on.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHAIN = HERE.parent / "fixtures" / "chain"
CODE = "RJREVWAY"  # table A01 of the fixture
PORTAL = "127.0.0.1:24680"
OPS = "127.0.0.1:24690"
NGINX = "127.0.0.1:24681"
HEADERS = {"Accept-Encoding": "gzip", "Accept-Language": "zh-CN,zh;q=0.9"}
TICK = 1 / os.sysconf("SC_CLK_TCK")

LANDING_ROUNDS = 5
LANDING_SECONDS = 3
CLAIM_ROUNDS = 3
CLAIM_SECONDS = 3  # below the 100,000 captures a journal holds
MEMORY_REQUESTS = 100_000
STARTS = 5


class Server:
    """A process we started, and those it started."""

    def __init__(self, process):
        self.process = process

    def pids(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]

    def cpu_seconds(self):
        """User and system time of all its processes."""
        total = 0
        for pid in self.pids():
            # The command's name may hold blanks; what follows the bracket does not.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total * TICK

    def resident_mib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


@contextlib.contextmanager
def ended(process):
    """Ends a process by its id, in order."""
    try:
        yield Server(process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Bench:
    def __init__(self, gateway, floor, scratch):
        self.gateway_binary = gateway
        self.floor_binary = floor
        self.scratch = Path(scratch).resolve()
        self.bundle = self.scratch / "chain"
        shutil.copytree(CHAIN, self.bundle)
        shutil.rmtree(self.bundle / "campaigns")
        (self.bundle / "campaigns").mkdir()
        shutil.copy(HERE / "campaign.toml", self.bundle / "campaigns" / "quiet-hours.toml")

    # --- the two servers ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def gateway(self, environment=None):
        """The real gateway on an empty state directory, ready."""
        with tempfile.TemporaryDirectory(dir=self.scratch, prefix="state-") as state:
            process, _ = self.start_gateway(state, environment)
            with ended(process) as server:
                yield server

    def start_gateway(self, state, environment=None):
        """Starts the gateway; gives back how long its `ready` line took as well."""
        config = Path(state) / "gateway.toml"
        config.write_text(
            f'state_dir = "{state}"\n[portal]\nlisten = "{PORTAL}"\n[ops]\nlisten = "{OPS}"\n'
            f'[bundle]\ndir = "{self.bundle}"\n[log]\nfilter = "warn"\n'
        )
        began = time.perf_counter()
        process = subprocess.Popen(
            [self.gateway_binary, "gateway", "--config", config],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        line = process.stdout.readline()
        took = time.perf_counter() - began
        if not line.startswith("ready "):
            process.kill()
            process.wait()
            raise SystemExit(f"the gateway did not start: {line!r}")
        return process, took

    def landing_page(self):
        """One landing page as sent, and its headers."""
        with self.gateway():
            request = urllib.request.Request(f"http://{PORTAL}/t/{CODE}", headers=HEADERS)
            with urllib.request.urlopen(request) as answer:
                assert answer.headers["Content-Encoding"] == "gzip", "the page was not packed"
                return answer.read(), answer.headers

    @contextlib.contextmanager
    def nginx(self, page, headers):
        """nginx with the page as a file packed ahead and with the gateway's own headers.

        Set up to be as cheap as it can: the file stays open, and header and page leave in one `writev`, which
        for a file this small costs a third less than Debian's `sendfile` and `tcp_nopush`.
        """
        home = self.scratch / "nginx"
        (home / "t").mkdir(parents=True)
        (home / "t" / f"{CODE}.gz").write_bytes(page)
        # nginx writes these itself; `connection: close` was meant for the one who fetched the page.
        ours = {"content-type", "content-length", "content-encoding", "date", "connection"}
        added = "".join(
            f'add_header {name} "{value}";\n' for name, value in headers.items() if name.lower() not in ours
        )
        config = home / "nginx.conf"
        config.write_text(
            f"""
            daemon off; worker_processes auto; pid {home}/pid; error_log stderr warn;
            events {{ worker_connections 1024; }}
            http {{
                access_log off; server_tokens off; etag off;
                sendfile off; tcp_nodelay on;
                open_file_cache max=100; open_file_cache_valid 60s;
                keepalive_requests 1000000000; keepalive_timeout 1h;
                default_type "text/html; charset=utf-8"; gzip_static always;
                client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
                fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
                server {{ listen {NGINX}; root {home}; {added} }}
            }}
            """
        )
        # Workers of a root nginx drop their rights and still have to reach the file.
        user = "user root;" if os.geteuid() == 0 else ""
        process = subprocess.Popen(["/usr/sbin/nginx", "-p", home, "-c", config, "-g", user])
        with ended(process) as server:
            wait_for(NGINX)
            yield server
        shutil.rmtree(home)

    # --- the measurements --------------------------------------------------------------------------------

    def landings(self):
        page, headers = self.landing_page()
        ours, theirs, views = [], [], {"kept": 0, "dropped": 0}
        for _ in range(LANDING_ROUNDS):
            with self.gateway() as server:
                ours.append(landing_round(server, PORTAL))
                kept, dropped = views_kept()
                views["kept"] += kept
                views["dropped"] += dropped
            with self.nginx(page, headers) as server:
                theirs.append(landing_round(server, NGINX))
        print(f"\nlanding pages, 64 connections, {len(page):,} bytes of gzip, "
              f"medians of {LANDING_ROUNDS} rounds of {LANDING_SECONDS} s")
        table(
            ["", "pages/s", "p50 ms", "p99 ms", "CPU µs/page", "bytes/answer", "errors"],
            [[name, *landing_row(rounds)] for name, rounds in [("maitred", ours), ("nginx", theirs)]],
        )
        ratio = median(ours, "cpu_us") / median(theirs, "cpu_us")
        print(f"CPU per page, maitred : nginx = {ratio:.2f} : 1 (to hold: at most 2)")
        print(f"view events: {views['kept']:,} frames of up to 16 written, {views['dropped']:,} dropped")

    def claims(self):
        print(f"\nclaims, each a new tap, over HTTP, beside append + fdatasync of 400 bytes with as many "
              f"writers\non the same disk, medians of {CLAIM_ROUNDS} rounds of {CLAIM_SECONDS} s")
        self.claim_table({})
        library = self.scratch / "slow_flash.so"
        subprocess.check_call(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "slow_flash.c"])
        print("\nthe same with 5 ms added to every sync of both, as on a cheap box's flash "
              "(to hold by the journal itself: see tests/bench/journal)")
        self.claim_table({"LD_PRELOAD": str(library)})

    def claim_table(self, environment):
        rows = []
        for connections in (1, 8, 64):
            rounds = [self.claim_round(connections, environment) for _ in range(CLAIM_ROUNDS)]
            claims, floor = median(rounds, "rate"), median(rounds, "floor")
            rows.append(
                [connections, f"{claims:,.0f}", f"{median(rounds, 'p99_us') / 1000:.1f}", f"{floor:,.0f}",
                 f"{claims / floor:.2f}"]
            )
        table(["at once", "claims/s", "p99 ms", "appends/s", "ratio"], rows)

    def claim_round(self, connections, environment):
        with self.gateway(environment):
            arguments = ["-s", HERE / "claim.lua", f"http://{PORTAL}/claim", "--", CODE]
            result = wrk(connections, CLAIM_SECONDS, arguments)
            time.sleep(0.3)  # the journal counts after it has answered
            answers, frames = result["requests"], metric('journal_frames_total{spool="p0"}')
        if answers > frames:
            raise SystemExit(f"of {answers} claims only {frames} were written")
        if result["refused"]:
            raise SystemExit(f"{result['refused']} of {answers} claims were refused")
        command = [self.floor_binary, "floor", self.scratch, str(CLAIM_SECONDS), str(connections)]
        floor = subprocess.check_output(command, env={**os.environ, **environment})
        return {**result, "rate": answers / result["seconds"], "floor": float(floor)}

    def memory(self):
        with self.gateway() as server:
            time.sleep(1)
            rows = [["idle after start", f"{server.resident_mib():.1f}", 0]]
            for wanted in (MEMORY_REQUESTS // 10, MEMORY_REQUESTS):
                while metric("portal_taps_total") < wanted:
                    wrk(64, 1, [f"http://{PORTAL}/t/{CODE}"])
                served = metric("portal_taps_total")
                waiting = metric('journal_frames_total{spool="p1"}')
                rows.append([f"after {served:,} pages", f"{server.resident_mib():.1f}", f"{waiting:,}"])
        print("\nresident memory of the gateway (to hold: at most 15 MiB idle; flat, but for the queue of view "
              "frames,\nwhich nobody drains here)")
        table(["", "MiB", "frames waiting"], rows)

    def starts(self):
        fresh, again = [], []
        for _ in range(STARTS):
            with tempfile.TemporaryDirectory(dir=self.scratch, prefix="state-") as state:
                for times in (fresh, again):
                    process, took = self.start_gateway(state)
                    with ended(process):
                        times.append(took)
        print(f"\nstart of the process to its ready line, medians of {STARTS} (to hold: 100 ms)")
        table(["", "ms"], [["first start, journal to be made", f"{statistics.median(fresh) * 1000:.0f}"],
                           ["later start", f"{statistics.median(again) * 1000:.0f}"]])


def landing_round(server, address):
    url = f"http://{address}/t/{CODE}"
    wrk(64, 1, [url])  # caches warm, threads started
    time.sleep(0.3)  # an address has 64 connections at the gateway, and these have to be gone
    before = server.cpu_seconds()
    result = wrk(64, LANDING_SECONDS, [url])
    # The views of the last second are gathered and written after the last answer, and count.
    time.sleep(1.5)
    result["cpu_us"] = (server.cpu_seconds() - before) * 1e6 / result["requests"]
    result["rate"] = result["requests"] / result["seconds"]
    return result


def landing_row(rounds):
    answers = sum(r["requests"] for r in rounds)
    return [
        f"{median(rounds, 'rate'):,.0f}",
        f"{median(rounds, 'p50_us') / 1000:.1f}",
        f"{median(rounds, 'p99_us') / 1000:.1f}",
        f"{median(rounds, 'cpu_us'):.1f}",
        f"{sum(r['bytes'] for r in rounds) / answers:,.0f}",
        sum(r["errors"] for r in rounds),
    ]


def wrk(connections, seconds, arguments):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    for name, value in HEADERS.items():
        command += ["-H", f"{name}: {value}"]
    if "-s" not in arguments:
        command += ["-s", HERE / "report.lua"]
    output = subprocess.check_output([*command, *arguments], text=True)
    return json.loads(output.strip().splitlines()[-1])


def metric(name):
    with urllib.request.urlopen(f"http://{OPS}/metrics") as answer:
        text = answer.read().decode()
    # Labels may follow the name; a name that is not there has not been counted yet.
    found = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\d+)$", text, re.MULTILINE)
    return sum(map(int, found))


def views_kept():
    return metric('journal_frames_total{spool="p1"}'), metric("journal_p1_dropped_total")


def wait_for(address):
    for _ in range(200):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://{address}/t/{CODE}").close()
            return
        time.sleep(0.02)
    raise SystemExit(f"nobody listens on {address}")


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


def table(head, rows):
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]
        print("  ".join(cells).rstrip())


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--gateway", required=True)
    arguments.add_argument("--floor", required=True)
    arguments.add_argument("--scratch", required=True, help="a folder on the disk to be measured")
    arguments.add_argument("parts", nargs="*", default=[])
    asked = arguments.parse_args()
    parts = asked.parts or ["landings", "claims", "memory", "starts"]
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, load {os.getloadavg()[0]:.2f} before the run")
    with tempfile.TemporaryDirectory(dir=asked.scratch, prefix="bench-") as scratch:
        bench = Bench(asked.gateway, asked.floor, scratch)
        for part in parts:
            getattr(bench, part)()


if __name__ == "__main__":
    main()
