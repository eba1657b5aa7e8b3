"""What agents tell is told by a real worker."""

from tests.agents.conftest import chatting, worker

__all__ = ["chatting", "worker"]
