"""Connections in a flood, as a process of its own: `python -m tests.faults.flood PORT COUNT`.

A third says nothing, a third wants a stream without a key, a third goes at once. It says when all
have come, stays for as long as it is let, and is gone without a farewell.
"""

import os
import socket
import sys
from collections.abc import Iterator

# Zero seconds: what is closed is reset.
AT_ONCE = b"\1\0\0\0\0\0\0\0"
WISH = (
    "GET /api/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
).encode()


def flood(port: int, count: int) -> Iterator[socket.socket]:
    for number in range(count):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        if number % 3 == 1:
            client.sendall(WISH)
        elif number % 3 == 2:
            client.close()
        yield client


if __name__ == "__main__":
    here = list(flood(*map(int, sys.argv[1:])))
    os.write(1, b"All are here.\n")
    os.read(0, 1)
