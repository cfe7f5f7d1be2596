"""Marks in a text that is read: findings, differences between two versions, what was searched for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import SequenceMatcher
from typing import Any

from markupsafe import Markup, escape

LONG = 4000
CLASSES = {"block": "block", "warn": "warn", "note": "info"}


def marked(
    text: str,
    findings: Iterable[Mapping[str, Any]],
    draw: Callable[[int, int], Markup] | None = None,
) -> Markup:
    """`text` with each finding marked and numbered; what overlaps an earlier one is only listed.

    A finding is its stored JSON with a `number`; `start` and `end` are code points. `draw` gives the
    pieces of the text between these; plainly without it.
    """
    out, at = [], 0
    draw = draw or (lambda begins, ends: escape(text[begins:ends]))
    for each in sorted(findings, key=lambda f: (f["start"], f["end"])):
        start, end = each["start"], each["end"]
        if start < at or end <= start or end > len(text):
            continue
        mark = Markup('<mark class="{}">{}<sup>{}</sup></mark>')
        drawn = mark.format(CLASSES[each["severity"]], draw(start, end), each["number"])
        out += [draw(at, start), drawn]
        at = end
    return Markup("").join([*out, draw(at, len(text))])


def differences(old: str, new: str) -> Markup:
    """`new` with what was added in <ins>, what was taken out in <del>.

    Long texts line by line: by characters, the work grows with the square of their length.
    """
    long = max(len(old), len(new)) > LONG
    was, now = [text.splitlines(True) if long else text for text in (old, new)]
    out = []
    for tag, a, b, c, d in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        added, taken = "".join(now[c:d]), "".join(was[a:b])
        if tag == "equal":
            out.append(escape(added))
        else:
            out.append(Markup("<del>{}</del>").format(taken) if taken else Markup(""))
            out.append(Markup("<ins>{}</ins>").format(added) if added else Markup(""))
    return Markup("").join(out)


def hits(text: str, wanted: str) -> Markup:
    """`text` with each occurrence of the searched words marked."""
    low, words = (
        text.lower(),
        sorted({w.lower() for w in wanted.split() if w}, key=len, reverse=True),
    )
    if len(low) != len(text):  # a letter whose lower case is longer: marks would slip
        return escape(text)
    out, at, start = [], 0, 0
    while start < len(text):
        word = next((w for w in words if low.startswith(w, start)), "")
        if not word:
            start += 1
            continue
        hit = Markup('<mark class="hit">{}</mark>').format(text[start : start + len(word)])
        out += [escape(text[at:start]), hit]
        at = start = start + len(word)
    return Markup("").join([*out, escape(text[at:])])


def around(text: str, wanted: str, length: int = 140) -> str:
    """The part of a text where a searched word stands first; whole if it is short."""
    if len(text) <= length:
        return text
    low = text.lower()
    places = [at for word in wanted.lower().split() if (at := low.find(word)) >= 0]
    start = max(0, min(places, default=0) - length // 4)
    end = start + length
    return ("……" if start else "") + text[start:end].strip() + ("……" if end < len(text) else "")
