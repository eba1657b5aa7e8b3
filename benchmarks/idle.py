"""What many sockets take on which next to nothing happens: `python -m benchmarks.idle`."""

import argparse
import time

from benchmarks.agentpipe_server import AgentPipe, Bridge
from benchmarks.crowds import crowd, latency_of, raise_file_limit
from benchmarks.processes import cpu_s
from benchmarks.report import Row, say, table

MB = 1_000_000
MOST_MB = 400
# In which each is pinged at least once.
WATCHED_S = 30
EVENTS = 5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--sockets", type=int, default=10_000)
    sockets = parser.parse_args().sockets
    most = raise_file_limit()
    if sockets > most:
        print(f"left out: this machine allows {most:,} open files")
        return
    with AgentPipe() as server, crowd(sockets) as idle:
        bridge = Bridge(server.port)
        bridge.say("Is it awake?")
        before, before_s, began = server.resident_bytes(), cpu_s(server.pid), time.monotonic()
        say(f"opening {sockets:,} sockets")
        idle.open(server.port, bridge.path)
        took_s, opening_s = time.monotonic() - began, cpu_s(server.pid) - before_s
        say("letting them rest")
        before_s = cpu_s(server.pid)
        time.sleep(WATCHED_S)
        resting_s, taken = cpu_s(server.pid) - before_s, server.resident_bytes()
        with idle.listening(EVENTS) as measured:
            for _ in range(EVENTS):
                bridge.say("Still there?")
                time.sleep(1)
    print(
        table(
            [
                Row(
                    figure=f"memory of the server with {sockets:,} idle sockets",
                    ours=f"{taken / MB:.0f} MB",
                    target=f"< {MOST_MB} MB",
                    is_met=taken < MOST_MB * MB,
                ),
                Row(figure="  a socket", ours=f"{(taken - before) / sockets / 1000:.1f} kB"),
                Row(figure="  opened a second", ours=f"{sockets / took_s:,.0f}"),
                Row(figure="  CPU of opening one", ours=f"{opening_s * 1000 / sockets:.2f} ms"),
                Row(figure="  CPU while they rest", ours=f"{resting_s / WATCHED_S:.0%} of a core"),
                Row(
                    figure="  one event to all, p99",
                    ours=f"{latency_of(measured.heard).p99:.0f} ms",
                ),
            ]
        )
    )


if __name__ == "__main__":
    main()
