"""nchan, a module of nginx; texts are posted to it. As server-sent events, 1.3.6 crashes."""

import asyncio
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.agentpipe_server import free_port
from benchmarks.clients import HOST
from benchmarks.peers.telling import announce, texts

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
CONFIGURATION = """
load_module {module};
daemon off;
master_process off;
error_log stderr crit;
pid {folder}/pid;
worker_rlimit_nofile 16384;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    {places}
    server {{
        listen {host}:{port} backlog=2048;
        keepalive_requests 1000000;
        location = /tell {{ nchan_publisher; nchan_channel_id all; nchan_store_messages off; }}
        location = / {{
            nchan_subscriber websocket;
            nchan_channel_id all;
        }}
    }}
}}
"""


def find() -> str | None:
    """nginx, where it has the module."""
    return shutil.which("nginx") if MODULE.exists() else None


def main() -> None:
    found = find()
    assert found, "looked for before it is started"
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        places = "\n    ".join(f"{name}_temp_path {folder}/{name};" for name in names)
        written = Path(folder, "nginx.conf")
        written.write_text(
            CONFIGURATION.format(module=MODULE, folder=folder, places=places, host=HOST, port=port)
        )
        nginx = subprocess.Popen([found, "-p", folder, "-c", str(written)])
        try:
            asyncio.run(_tell_all(port))
        finally:
            nginx.terminate()
            nginx.wait()


async def _tell_all(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                reader, writer = await asyncio.open_connection(HOST, port)
                break
            except OSError:
                await asyncio.sleep(0.1)
    announce(port)
    async for text in texts():
        head = f"POST /tell HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(text)}\r\n\r\n"
        writer.write((head + text).encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line[15:])
            for line in answer.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)


if __name__ == "__main__":
    main()
