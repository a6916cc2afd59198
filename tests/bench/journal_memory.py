"""Measures the memory of the whole gateway with a long queue, and fails where a goal is missed; shows its start.

`tests/bench/journal` builds and calls this. The claims go over HTTP to the real binary in folder mode, where
nobody drains the journal, with the environment that the unit of deploy/ sets. Every start is measured twice:
after an orderly end, and after kill -9 at work.
"""

import argparse
import os
import re
import shlex
import sys
import tempfile
import time

from compare import CODE, HERE, PORTAL, Bench, ended, metric, table, wrk

UNIT = HERE.parents[1] / "deploy" / "box" / "maitred-gateway.service"
QUEUED = 50_000
NEARLY_FULL = 93_000  # at 100,000 a journal refuses more, and the last second brings some thousands
ROUNDS = 3
IDLE_MIB = 15
QUEUED_MIB = 32
START_SECONDS = 0.5


def shipped_environment():
    """What the unit sets for the gateway."""
    lines = re.findall(r"^Environment=(.*)$", UNIT.read_text(), re.MULTILINE)
    return dict(setting.split("=", 1) for line in lines for setting in shlex.split(line))


def claim_until(queued):
    """Claims until the queue is as long as wanted; a few more do no harm."""
    while (missing := queued - metric('journal_frames_total{spool="p0"}')) > 0:
        # Fewer towards the end, or the last second's are many more than wanted.
        connections = 64 if missing > 40_000 else 8 if missing > 25_000 else 1
        result = wrk(connections, 1, ["-s", HERE / "claim.lua", f"http://{PORTAL}/claim", "--", CODE])
        if result["refused"]:
            raise SystemExit(f"{result['refused']} claims were refused")


class Round:
    """One journal, filled, ended, and started again."""

    def __init__(self, bench, environment):
        self.bench, self.environment = bench, environment

    def start(self, state):
        began = self.bench.start_gateway(state, self.environment)
        time.sleep(1)
        return began

    def fill(self, state, queued):
        """Fills a new journal and kills the gateway; its memory before and after."""
        process, _ = self.start(state)
        with ended(process) as server:
            idle = server.resident_mib()
            claim_until(queued)
            time.sleep(1)
            full = server.resident_mib()
            process.kill()
            process.wait()
        return idle, full

    def start_twice(self, state):
        """Seconds and memory of a start after a kill and of one after an orderly end."""
        for _ in range(2):
            process, took = self.start(state)
            with ended(process) as server:
                yield took, server.resident_mib()

    def memory(self):
        with tempfile.TemporaryDirectory(dir=self.bench.scratch, prefix="state-") as state:
            idle, full = self.fill(state, QUEUED)
            (_, killed), (_, closed) = self.start_twice(state)
        return idle, full, killed, closed

    def starts(self):
        with tempfile.TemporaryDirectory(dir=self.bench.scratch, prefix="state-") as state:
            _, full = self.fill(state, NEARLY_FULL)
            (killed, _), (closed, _) = self.start_twice(state)
        return killed, closed, full


def medians(rounds):
    return (sorted(figures)[len(rounds) // 2] for figures in zip(*rounds))


def verdict(value, most):
    return f"{value / most:.2f} of {most} {'held' if value <= most else 'MISSED'}"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--gateway", required=True)
    arguments.add_argument("--scratch", required=True, help="a folder on a disk")
    asked = arguments.parse_args()
    environment = shipped_environment()
    with tempfile.TemporaryDirectory(dir=asked.scratch, prefix="bench-") as scratch:
        one = Round(Bench(asked.gateway, None, scratch), environment)
        idle, full, killed, closed = medians([one.memory() for _ in range(ROUNDS)])
        after_kill, after_end, longest = medians([one.starts() for _ in range(ROUNDS)])
    goals = [("idle after the first start, MiB", idle, IDLE_MIB),
             (f"{QUEUED:,} captures queued, MiB", full, QUEUED_MIB),
             ("started again with them after kill -9, MiB", killed, QUEUED_MIB),
             ("started again with them after an orderly end, MiB", closed, QUEUED_MIB)]
    starts = [("whole start after kill -9, s", after_kill), ("whole start after an orderly end, s", after_end)]
    settings = " ".join(f"{name}={value}" for name, value in environment.items()) or "nothing"
    print(f"medians of {ROUNDS} rounds with the environment of {UNIT.name} ({settings}), on {os.cpu_count()} "
          f"cores,\nload {os.getloadavg()[0]:.2f}")
    table(["", "", "goal"], [[name, f"{value:.2f}", verdict(value, most)] for name, value, most in goals])
    print(f"with {NEARLY_FULL:,} queued, {longest:.1f} MiB; the journal's part of a start is judged above")
    table(["", "", f"of {START_SECONDS}"], [[name, f"{value:.2f}", f"{value / START_SECONDS:.2f}"] for name, value in starts])
    sys.exit(any(value > most for _, value, most in goals))


if __name__ == "__main__":
    main()
