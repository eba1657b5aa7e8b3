"""All who follow a stream come back at the same moment: `python -m benchmarks.reconnect`.

They were closed at once, and events were told while they were away. Meanwhile others follow a
second stream, which is told of all the time.
"""

import argparse
import threading
import time

from benchmarks.agentpipe_server import AgentPipe, Bridge
from benchmarks.crowds import Latency, crowd, latency_of, raise_file_limit
from benchmarks.processes import cpu_s, paced
from benchmarks.report import Row, say, table

MOST_S = 15
OTHERS = 100
EVENTS_A_SECOND = 20
OTHERS_WATCHED_S = 20
AT_ONCE = 1000
# Behind the start of the conversation; said while they were there, and while they were away.
HEARD, MISSED = 3, 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reconnect", description=__doc__)
    parser.add_argument("--sockets", type=int, default=5_000)
    sockets = parser.parse_args().sockets
    most = raise_file_limit()
    if sockets > most:
        print(f"left out: this machine allows {most:,} open files")
        return
    with AgentPipe() as server, crowd(sockets) as many, crowd(OTHERS) as others:
        bridge, elsewhere = Bridge(server.port), Bridge(server.port)
        bridge.say("While they listen", times=HEARD)
        say(f"opening {sockets:,} sockets")
        many.open(server.port, bridge.path)
        others.open(server.port, elsewhere.path)
        with others.listening(OTHERS_WATCHED_S * EVENTS_A_SECOND) as before:
            _tell(elsewhere)
        say("closing them, and letting them come back")
        with others.listening(OTHERS_WATCHED_S * EVENTS_A_SECOND) as meanwhile:
            telling = threading.Thread(target=_tell, args=(elsewhere,))
            telling.start()
            many.leave()
            bridge.say("While they are away", times=MISSED)
            last_heard = 1 + HEARD
            path = f"{bridge.path}?since=0_{last_heard:04d}_00000000"
            used_s, began = cpu_s(server.pid), time.monotonic()
            many.open(server.port, path, at_once=AT_ONCE, missed=MISSED)
            took_s, used_s = time.monotonic() - began, cpu_s(server.pid) - used_s
            telling.join()
        with many.listening(1) as after:
            bridge.say("Now all are there")
    assert after.heard.deliveries == sockets
    print(
        table(_rows(sockets, took_s, used_s, latency_of(before.heard), latency_of(meanwhile.heard)))
    )


def _tell(bridge: Bridge) -> None:
    for pause_s in paced(OTHERS_WATCHED_S * EVENTS_A_SECOND, gap_s=1 / EVENTS_A_SECOND):
        time.sleep(pause_s)
        bridge.say("Elsewhere")


def _rows(
    sockets: int, took_s: float, used_s: float, before: Latency, meanwhile: Latency
) -> list[Row]:
    return [
        Row(
            figure=f"{sockets:,} sockets are back, with {MISSED} events that they missed",
            ours=f"{took_s:.1f} s",
            target=f"< {MOST_S} s",
            is_met=took_s < MOST_S,
        ),
        Row(figure="  CPU of one", ours=f"{used_s * 1000 / sockets:.2f} ms"),
        # Had one of them lost an event, the benchmark would have ended there.
        Row(
            figure=f"  the {OTHERS} others have every event, p50",
            ours=f"{meanwhile.p50:.0f} ms",
            floor=f"{before.p50:.0f} ms before",
        ),
        Row(figure="  p99", ours=f"{meanwhile.p99:.0f} ms", floor=f"{before.p99:.0f} ms before"),
        Row(figure="  longest", ours=f"{meanwhile.worst:.0f} ms", floor=f"{before.worst:.0f} ms"),
    ]


if __name__ == "__main__":
    main()
