"""What /metrics says, by the name and labels of each sample."""

from dataclasses import dataclass
from typing import Self

from tests.agentpipe.knocking import knock


async def measured(key: str) -> dict[str, float]:
    text = (await knock("/metrics", key=key)).body.decode()
    lines = [line.rpartition(" ") for line in text.splitlines() if line[:1] != "#"]
    return {name: float(value) for name, _, value in lines}


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """By how much samples grow: what ran in this process before has counted, too."""

    key: str
    before: dict[str, float]

    @classmethod
    async def since_now(cls, key: str) -> Self:
        return cls(key=key, before=await measured(key))

    async def of(self, sample: str) -> float:
        return (await measured(self.key)).get(sample, 0.0) - self.before.get(sample, 0.0)

    async def names(self) -> set[str]:
        return set(await measured(self.key))
