"""An adapter that does nothing, to time everything else."""

from __future__ import annotations

import itertools
import time
from typing import ClassVar

from bot.adapters.base import Adapter
from bot.model import Capabilities, Outgoing, Receipt, Staged

_ids = itertools.count(1)
calls: list[float] = []  # when each publish began, time.time()


class Noop(Adapter):
    name = "noop"
    label = "空"
    letter = "空"
    capabilities: ClassVar[Capabilities] = Capabilities(text_limit=5000)

    async def publish(self, outgoing: Outgoing, staged: Staged, key: str) -> Receipt:
        calls.append(time.time())
        return Receipt(f"n{next(_ids)}")
