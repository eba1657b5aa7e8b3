"""A way to a server that can be cut as radio is: what is on it is lost, and nobody is told."""

import socket
import threading
from contextlib import suppress


class Road:
    def __init__(self, port: int) -> None:
        self.target = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lanes: list[Lane] = []
        self.is_cut = False
        threading.Thread(target=self._take_in, daemon=True).start()

    def cut(self) -> None:
        self.is_cut = True
        for lane in self.lanes:
            lane.is_lost = True

    def mend(self) -> None:
        """For connections to come; those that were lost break now."""
        self.is_cut = False
        for lane in self.lanes:
            if lane.is_lost:
                lane.close()

    def close(self) -> None:
        self.listener.close()
        for lane in self.lanes:
            lane.close()

    def _take_in(self) -> None:
        while True:
            try:
                near = self.listener.accept()[0]
                lane = Lane(near, socket.create_connection(self.target), is_lost=self.is_cut)
            except OSError:
                return
            self.lanes.append(lane)


class Lane:
    def __init__(self, near: socket.socket, far: socket.socket, *, is_lost: bool) -> None:
        self.ends = (near, far)
        self.is_lost = is_lost
        for ends in ((near, far), (far, near)):
            threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                if not self.is_lost:
                    sink.sendall(piece)
        if not self.is_lost:
            self.close()

    def close(self) -> None:
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
