"""Measures the memory of the whole gateway with a long queue, and fails where a goal is missed.

`tests/bench/journal` builds and calls this. The claims go over HTTP to the real binary in folder mode, where
nobody drains the journal.
"""

import argparse
import sys
import tempfile
import time

from compare import CODE, HERE, PORTAL, Bench, ended, metric, table, wrk

QUEUED = 50_000
ROUNDS = 3
IDLE_MIB = 15
QUEUED_MIB = 32


def claim_until_queued():
    """Claims until the queue is as long as wanted; a few more do no harm."""
    while (missing := QUEUED - metric('journal_frames_total{spool="p0"}')) > 0:
        seconds = 1 if missing < QUEUED // 2 else 2
        result = wrk(64, seconds, ["-s", HERE / "claim.lua", f"http://{PORTAL}/claim", "--", CODE])
        if result["refused"]:
            raise SystemExit(f"{result['refused']} claims were refused")


def one_round(bench):
    with tempfile.TemporaryDirectory(dir=bench.scratch, prefix="state-") as state:
        process, _ = bench.start_gateway(state)
        with ended(process) as server:
            time.sleep(1)
            idle = server.resident_mib()
            claim_until_queued()
            time.sleep(1)
            queued = server.resident_mib()
        process, took = bench.start_gateway(state)
        with ended(process) as server:
            time.sleep(1)
            opened = server.resident_mib()
    return idle, queued, opened, took


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--gateway", required=True)
    arguments.add_argument("--scratch", required=True, help="a folder on a disk")
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.scratch, prefix="bench-") as scratch:
        bench = Bench(asked.gateway, None, scratch)
        rounds = [one_round(bench) for _ in range(ROUNDS)]
    idle, queued, opened, took = (sorted(figures)[ROUNDS // 2] for figures in zip(*rounds))
    goals = [("idle after the first start", idle, IDLE_MIB), (f"{QUEUED:,} captures queued", queued, QUEUED_MIB),
             ("started again with them", opened, QUEUED_MIB)]
    print(f"resident memory, medians of {ROUNDS} rounds; that start took {took * 1000:.0f} ms")
    table(["", "MiB", "goal"], [[name, f"{mib:.1f}", f"<= {most} {'held' if mib <= most else 'MISSED'}"]
                                for name, mib, most in goals])
    sys.exit(any(mib > most for _, mib, most in goals))


if __name__ == "__main__":
    main()
