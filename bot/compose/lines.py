"""Breaking Chinese text into lines of a measured width.

No closing mark begins a line and no opening one ends it (GB/T 15834-2011, 5.1); “——” and “……”, Latin
words, figures and links stay whole where a line can hold them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Measure = Callable[[str], float]

_OPEN = "（《【「『〈“‘〔［｛([{"
_CLOSE = "，。、；：？！）》】」』〉”’〕］｝％‰℃·…—～,.;:?!)]}%°"
_CLUSTER = re.compile(
    rf"[{re.escape(_OPEN)}]*"
    rf"(?:[A-Za-z0-9@#](?:[A-Za-z0-9._~/?&=+@#$:-]*[A-Za-z0-9/=])?|[—…]+|[^ \u3000])"
    rf"[{re.escape(_CLOSE)}]*"
    r"|[ \u3000]+"
)
_CHARACTER = re.compile(
    rf"[{re.escape(_OPEN)}]*[^{re.escape(_OPEN + _CLOSE)}][{re.escape(_CLOSE)}]*|.", re.S
)


def lines(paragraph: str, width: float, measure: Measure) -> list[str]:
    """The lines of one paragraph; an empty one is one empty line."""
    found, line, used = [], "", 0.0
    for cluster in _pieces(paragraph, width, measure):
        size = measure(cluster)
        if line and used + size > width:
            found.append(line.rstrip(" \u3000"))
            line, used = "", 0.0
            if not cluster.strip(" \u3000"):
                continue  # blanks vanish where a line is broken
        line, used = line + cluster, used + size
    return [*found, line.rstrip(" \u3000")]


def _pieces(paragraph: str, width: float, measure: Measure) -> Iterator[str]:
    """What may not be parted; what no line can hold is parted all the same, marks last."""
    for match in _CLUSTER.finditer(paragraph):
        if measure(match[0]) <= width:
            yield match[0]
            continue
        for piece in _CHARACTER.findall(match[0]):
            yield from [piece] if measure(piece) <= width else piece
