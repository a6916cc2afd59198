"""Measures a till's answers with very many live coupons, beside SQLite's compare-and-set of as many rows.

`tests/bench/till` builds and calls this. A chain of real processes on loopback: headquarters, which takes what
the box has, because a box keeps at most 100,000 captures that nobody has taken; and the box of one store. wrk
fills it with claims; the coupons that the till redeems are claimed like a guest's, half of them typed by code and
half scanned as tokens. Each answer is a whole page after its capture is on stable storage.

The yardstick is given every advantage: the same number of rows, a prepared statement in this process, no HTTP,
no page, no signature; WAL with synchronous=FULL, so that it promises what the box does. Rounds alternate.
"""

import argparse
import contextlib
import http.client
import json
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHAIN = HERE.parent / "fixtures" / "chain"
CODE = "RJREVWAY"  # table A01 of the fixture
ROUNDS = 5


class Phone:
    """One connection with its cookies."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=30)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.cookies = {}

    def ask(self, method, path, fields=None):
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urllib.parse.urlencode(fields)
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        for cookie in answer.headers.get_all("set-cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer, answer.read().decode()


@contextlib.contextmanager
def ended(process):
    """Ends a process by its id, in order."""
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


class Shop:
    """Headquarters and one store's box."""

    def __init__(self, maitred, scratch, stack):
        self.maitred, self.scratch = maitred, scratch
        chain = scratch / "chain"
        shutil.copytree(CHAIN, chain)
        shutil.copy(HERE / "campaign.toml", chain / "campaigns" / "quiet-hours.toml")
        listen = "".join(f'[{name}]\nlisten = "127.0.0.1:0"\n' for name in ["enroll", "console", "ops"])
        sync = free_port()
        hq = scratch / "hq.toml"
        hq.write_text(f'dir = "{scratch}/hq"\nchain_dir = "{chain}"\n[sync]\nlisten = "127.0.0.1:{sync}"\n'
                      f'url = "https://127.0.0.1:{sync}"\n{listen}')
        said = self.run("hq", "init", "--dir", f"{scratch}/hq", "--name", "127.0.0.1")
        asked = ["hq", "--config", hq]
        self.pin = word(self.run(*asked, "staff", "add", "--store", "SZ01", "--name", "lin"), "PIN: ")
        ready = self.start(stack, *asked)
        token = word(self.run(*asked, "token", "--store", "SZ01"), "token: ")
        self.run("enroll", "--hq", word(ready, "enroll="), "--pin", word(said, "enroll`: "), "--token", token,
                 "--state", scratch / "box")
        self.config = scratch / "gateway.toml"
        self.ops = f"127.0.0.1:{free_port()}"
        self.config.write_text(f'state_dir = "{scratch}/box"\n[portal]\nlisten = "127.0.0.1:0"\n'
                               f'[ops]\nlisten = "{self.ops}"\n[log]\nfilter = "error"\n')
        self.portal = word(self.start(stack, "gateway", "--config", self.config), "portal=http://")
        self.until(lambda: '"ready":true' in self.at_ops("/readyz"), "a bundle")

    def run(self, *words):
        return subprocess.run([self.maitred, *words], check=True, capture_output=True, text=True).stdout

    def start(self, stack, *words):
        process = subprocess.Popen([self.maitred, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   text=True)
        stack.enter_context(ended(process))
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise SystemExit(f"{words[0]} did not start: {line!r}")
        return line

    def at_ops(self, path):
        return Phone(self.ops).ask("GET", path)[1]

    def until(self, question, what):
        for _ in range(6_000):
            if question():
                return
            time.sleep(0.05)
        raise SystemExit(f"waited in vain for {what}")

    def claims(self):
        found = re.search(r"^portal_claims_total (\d+)", self.at_ops("/metrics"), re.MULTILINE)
        return int(found[1]) if found else 0

    def drained(self):
        self.until(lambda: '"0 captures wait' in self.at_ops("/readyz"), "headquarters to have it all")

    def fill(self, coupons):
        """Claims until there are so many."""
        while (have := self.claims()) < coupons:
            seconds = 3 if coupons - have > 20_000 else 1
            subprocess.run(["wrk", "-t2", "-c32", f"-d{seconds}s", "-s", HERE / "claim.lua",
                            f"http://{self.portal}/claim", "--", CODE], check=True, capture_output=True)
            self.drained()

    def coupon(self):
        """A guest's coupon: its code and its token."""
        guest = Phone(self.portal)
        fields = {"code": CODE, "campaign": "quiet-hours", "tap": secrets.token_hex(16)}
        answer, _ = guest.ask("POST", "/claim", fields)
        _, page = guest.ask("GET", answer.headers["location"])
        code = re.search(r'<p class="code"[^>]*>([0-9A-Z]+)<', page)[1]
        return code, re.search(r'data-token="([^"]+)"', page)[1]

    def till(self):
        """A paired till with somebody signed in."""
        till = Phone(self.portal)
        pairing = json.loads(Phone(self.ops).ask("POST", "/api/v1/till/pairing")[1])["code"]
        for path, fields in [("/till/pair", {"code": pairing}), ("/till/sign-in", {"name": "lin", "pin": self.pin})]:
            answer, page = till.ask("POST", path, fields)
            assert answer.status == 303, page
        return till


def word(text, before):
    return text.split(before, 1)[1].split()[0]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def timed(act):
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def redeem(till, shown):
    fields = {"code": shown, "redemption": secrets.token_hex(16)}

    def ask():
        answer, page = till.ask("POST", "/till/redeem", fields)
        assert answer.status == 200, page

    return timed(ask)


class Sqlite:
    """As many coupons as rows, and the compare-and-set that redeems one."""

    def __init__(self, file, coupons):
        self.connection = sqlite3.connect(file, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute("CREATE TABLE coupons (code TEXT PRIMARY KEY, redeemed_at INTEGER) WITHOUT ROWID")
        self.codes = [secrets.token_hex(8) for _ in range(coupons)]
        self.connection.execute("BEGIN")
        self.connection.executemany("INSERT INTO coupons VALUES (?, NULL)", ((code,) for code in self.codes))
        self.connection.execute("COMMIT")

    def redeem(self):
        code = self.codes.pop()

        def ask():
            done = self.connection.execute(
                "UPDATE coupons SET redeemed_at = ? WHERE code = ? AND redeemed_at IS NULL", (time.time_ns(), code))
            assert done.rowcount == 1

        return timed(ask)


def row(name, took):
    took = sorted(took)
    p50, p99 = took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)]
    print(f"{name:<44}{p50:>9.2f}{p99:>9.2f}{took[-1]:>9.2f}")
    return p99


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maitred", required=True)
    parser.add_argument("--coupons", type=int, default=100_000)
    parser.add_argument("--answers", type=int, default=5_000)
    given = parser.parse_args()
    target = Path(given.maitred).resolve().parent
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=target, prefix="till-")))
        shop = Shop(given.maitred, scratch, stack)
        shop.fill(given.coupons)
        till = shop.till()
        peer = Sqlite(scratch / "peer.sqlite", given.coupons)
        ours, theirs = [], []
        each = max(1, given.answers // ROUNDS)
        for _ in range(ROUNDS):
            coupons = [shop.coupon() for _ in range(each)]
            shop.drained()
            ours += [redeem(till, coupon[n % 2]) for n, coupon in enumerate(coupons)]
            theirs += [peer.redeem() for _ in range(each)]
        print(f"{shop.claims():,} coupons claimed, {len(ours):,} redeemed one after the other, in ms")
        print(f"{'':<44}{'p50':>9}{'p99':>9}{'max':>9}")
        p99 = row("maitred: POST /till/redeem, the whole page", ours)
        row(f"SQLite {sqlite3.sqlite_version}: the bare compare-and-set", theirs)
        print(f"p99 {p99:.1f} ms (to hold: at most 20 ms)")


if __name__ == "__main__":
    main()
