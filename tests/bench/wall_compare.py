"""Measures maitred, openNDS and nginx in one shop's network, and prints them beside the goals of the wall.

`tests/bench/wall` installs, builds, makes the namespaces and calls this. The three take turns, each time
started anew, so that a busy minute of the machine hits all of them. Ends with 0 whatever goals are missed, and
with 1 where something could not be measured (openNDS may fail to start; then the run says why, and goes on).
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import time
from urllib.parse import urlsplit

import wall_phone
from compare import CHAIN, HEADERS, HERE, table
from wall_lab import SHOP, Lab, inside, make_private
from wall_phone import AGENT, PORTAL, PROBE, NotMeasured
from wall_servers import Maitred, Nginx, OpenNds

ROUNDS = 3
SECONDS = 2
JOINING = 50
JOINS_WITHIN = 30  # no phone waits for longer
MEMORY_SECONDS = 8  # for more than 100,000 redirects


class Figures:
    """What the rounds gave, by server and by what was measured."""

    def __init__(self):
        self.measured = {}

    def add(self, server, what, value):
        self.measured.setdefault((server, what), []).append(value)

    def all(self, server, what):
        return self.measured.get((server, what), [])

    def median(self, server, what):
        values = self.all(server, what)
        return statistics.median(values) if values else math.nan

    def growth(self, server):
        """Bytes of memory for each redirect."""
        redirects = sum(self.all(server, "grown over"))
        return sum(self.all(server, "grown")) / redirects if redirects else math.nan


class Bench:
    def __init__(self, lab):
        self.lab = lab
        self.figures = Figures()
        self.load_phone, *self.phones = lab.phones

    def wrk(self, url, seconds, meanwhile=lambda: None):
        """64 connections of one phone; `meanwhile` is called until they are done."""
        parts = urlsplit(url)
        address, port = wall_phone.place(parts)
        headers = {"Host": parts.netloc, "User-Agent": AGENT, **HEADERS}
        headers = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
        command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "--timeout", "10s", "-s", SHOP / "report.lua", *headers,
                   parts._replace(netloc=f"{address}:{port}").geturl()]
        with subprocess.Popen(inside(self.load_phone.space, *command), stdout=subprocess.PIPE, text=True) as process:
            while process.poll() is None:
                meanwhile()
                time.sleep(0.05)
            return json.loads(process.stdout.read().strip().splitlines()[-1])

    def take_turn(self, server, is_last):
        with server.started(self.lab) as process:
            if not server.is_slow:
                self.wrk(PROBE, 1)  # threads started, buffers grown
            process.settle()
            before = process.resident_bytes()
            redirects = self.load(server, process, "redirect", PROBE)
            if server.is_slow:
                # A hundred thousand would take it an hour.
                self.figures.add(server.name, "grown", process.resident_bytes() - before)
                self.figures.add(server.name, "grown over", redirects)
                self.figures.add(server.name, "resident", process.resident_bytes())
            else:
                self.beside(server)
            process.settle()
            self.load(server, process, "page", wall_phone.led_to(self.lab, self.load_phone))
        # Started anew: openNDS would go on for long with what wrk no longer waits for.
        with server.started(self.lab):
            phones = iter(self.phones)
            for way, count in server.clicks.items():
                for _ in range(count):
                    took = wall_phone.click(self.lab, next(phones), server, way)
                    self.figures.add(way, "click", took * 1000)
        if not server.is_slow or is_last:
            with server.started(self.lab) as process:
                process.settle()
                self.join(server)

    def load(self, server, process, what, url):
        """How many answers a second, and what each costs its server."""
        cpu = process.cpu_seconds()
        result = self.wrk(url, SECONDS * (2 if server.is_slow else 1))
        answers = result["requests"]
        spent = (process.cpu_seconds() - cpu) * 1000
        self.figures.add(server.name, f"{what}s", answers / result["seconds"])
        self.figures.add(server.name, f"CPU of a {what}", spent / answers if answers else math.nan)
        self.figures.add(server.name, f"p99 of a {what}", result["p99_us"] / 1000)
        self.figures.add(server.name, "errors", result["errors"])
        return answers

    def beside(self, server):
        """How long another phone waits for its page while one asks as fast as it can."""
        other = self.phones[0]
        url = wall_phone.led_to(self.lab, other)

        def look():
            began = time.perf_counter()
            wall_phone.ask(self.lab, other, url)
            self.figures.add(server.name, "waited beside", (time.perf_counter() - began) * 1000)

        flood = self.wrk(PROBE, SECONDS, look)
        self.figures.add(server.name, "flood", flood["requests"] / flood["seconds"])

    def join(self, server):
        times, again = wall_phone.join_all(self.lab, self.phones, server.marks, JOINS_WITHIN)
        self.figures.add(server.name, "joined", sum(map(math.isfinite, times)))
        self.figures.add(server.name, "middle", statistics.median(times))
        self.figures.add(server.name, "last", times[-1])
        self.figures.add(server.name, "again", again)

    def memory(self, server):
        """What stays of a redirect: the same connections ask all the time, because new ones cost of their own."""
        readings = []
        with server.started(self.lab) as process:
            answers = self.wrk(PROBE, MEMORY_SECONDS, lambda: readings.append(process.resident_bytes()))["requests"]
        # In the first fifth buffers grow. The lowest of many: memory that is used for a moment does not stay.
        fifth = len(readings) // 5
        self.figures.add(server.name, "grown", min(readings[-fifth:]) - min(readings[fifth:2 * fifth]))
        self.figures.add(server.name, "grown over", answers * 3 // 5)
        self.figures.add(server.name, "resident", readings[-1])


def landing_page(lab, maitred):
    """The gateway's page as sent, and its headers."""
    with maitred.started(lab):
        answer = wall_phone.ask(lab, lab.phones[0], f"http://{PORTAL}/", accept="gzip")
    assert answer.status == 200 and answer.headers.get("content-encoding") == "gzip", answer.headers
    return answer.body, answer.headers


def written(pattern, value):
    """A figure as it is printed."""
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return f"> {JOINS_WITHIN} s"
    return pattern.format(value)


def print_figures(figures, servers, page):
    print(f"\n64 connections of one phone, which are kept; medians of {ROUNDS} rounds; our landing page is "
          f"{len(page):,} bytes of gzip")
    rows = []
    for name in servers:
        row = [name]
        for what in ("redirect", "page"):
            row.append(written("{:,.0f}", figures.median(name, f"{what}s")))
            row.append(written("{:,.1f}", figures.median(name, f"p99 of a {what}")))
            row.append(written("{:.4f}", figures.median(name, f"CPU of a {what}")))
        rows.append([*row, sum(figures.all(name, "errors"))])
    table(["", "redirects/s", "p99 ms", "CPU ms", "pages/s", "p99 ms", "CPU ms", "errors"], rows)

    print(f"\n{JOINING} phones joining at the same moment: check, redirect, page; looked at for {JOINS_WITHIN} s "
          "(openNDS once)")
    rows = [
        [name, written("{:.0f}", figures.median(name, "joined")), written("{:.3f} s", figures.median(name, "middle")),
         written("{:.3f} s", figures.median(name, "last")), sum(figures.all(name, "again"))]
        for name in servers
    ]
    table(["", "saw the page", "middle one", "last one", "asked again"], rows)

    print("\na page of another phone while one phone asks as fast as it can (not openNDS)")
    rows = [
        [name, written("{:,.0f}", min(figures.all(name, "flood"), default=math.nan)),
         len(figures.all(name, "waited beside")), written("{:.2f}", figures.median(name, "waited beside")),
         written("{:.2f}", max(figures.all(name, "waited beside"), default=math.nan))]
        for name in servers
    ]
    table(["", "checks/s of the one", "pages of the other", "median ms", "slowest ms"], rows)

    print("\nclick to first packet through, one phone after the other")
    rows = []
    for way in (way for server in servers.values() for way in server.clicks):
        times = figures.all(way, "click")
        slowest = max(times, default=math.nan)
        rows.append([way, len(times), written("{:.2f}", figures.median(way, "click")), written("{:.2f}", slowest)])
    table(["", "phones", "median ms", "slowest ms"], rows)

    print("\nmemory of the processes that stay")
    rows = [
        [name, f"{sum(figures.all(name, 'grown over')):,}", written("{:,.1f}", figures.growth(name)),
         written("{:.1f}", figures.median(name, "resident") / 2**20)]
        for name in servers
    ]
    table(["", "redirects", "growth of each, bytes", "MiB after them"], rows)


def print_goals(figures, servers):
    """The goals of the wall, what all three have there, and whether the gateway held them."""
    # What is wanted, in words; how a figure is written; which one; when it is held, by it and by nginx's.
    goals = [
        ("redirects/s, 64 connections", ">= 60 % of nginx", "{:,.0f}",
         lambda name: figures.median(name, "redirects"), lambda ours, nginx: ours >= 0.6 * nginx),
        ("CPU per redirect", "<= 0.03 ms", "{:.4f} ms",
         lambda name: figures.median(name, "CPU of a redirect"), lambda ours, _: ours <= 0.03),
        ("click to first packet, median", "<= 5 ms", "{:.2f} ms",
         lambda name: figures.median(name, "click"), lambda ours, _: ours <= 5),
        (f"last of {JOINING} joining sees the page", "<= 0.5 s", "{:.3f} s",
         lambda name: figures.median(name, "last"), lambda ours, _: ours <= 0.5),
        # Ten thousand checks a second of one phone starve no other.
        ("page beside a flood of checks, slowest", "<= 250 ms", "{:.1f} ms",
         lambda name: max(figures.all(name, "waited beside"), default=math.nan),
         lambda ours, _: ours <= 250 and min(figures.all("maitred", "flood")) >= 10_000),
        # Memory comes in pages: one of them somewhere is no growth yet.
        ("memory growth per redirect", "0 (< 1 byte)", "{:,.1f} bytes",
         figures.growth, lambda ours, _: ours < 1),
    ]
    rows = []
    for what, goal, pattern, figure, holds in goals:
        held = holds(figure("maitred"), figure("nginx"))
        rows.append([what, goal, *(written(pattern, figure(name)) for name in servers), "held" if held else "missed"])
    print()
    table(["", "goal", *servers, ""], rows)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--gateway", required=True)
    asked = arguments.parse_args()
    began = time.monotonic()
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.2f} before the run", flush=True)
    make_private({
        "maitred": asked.gateway,
        "report.lua": HERE / "report.lua",
        "chain": CHAIN,
        # An offer that is always open: the page is the same at any hour.
        "chain/campaigns/quiet-hours.toml": HERE / "campaign.toml",
    })
    lab = Lab(JOINING + 1)
    bench = Bench(lab)
    maitred = Maitred()
    page, headers = landing_page(lab, maitred)
    servers = [maitred, OpenNds(), Nginx(page, headers)]
    for turn in range(ROUNDS):
        for server in servers:
            try:
                bench.take_turn(server, is_last=turn == ROUNDS - 1)
            except NotMeasured as why:
                if not server.may_fail:
                    raise
                print(f"{server.name}, round {turn + 1}: {why}")
    for server in servers:
        if not server.is_slow:
            bench.memory(server)
    servers = {server.name: server for server in servers}
    print_figures(bench.figures, servers, page)
    print_goals(bench.figures, servers)
    print(f"\nload {os.getloadavg()[0]:.2f} after the run, which took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except NotMeasured as why:
        raise SystemExit(f"could not be measured: {why}") from why
