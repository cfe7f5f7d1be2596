"""What a server's JSON says: an instance's limits, a status, a list of them, its refusals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from bot.adapters.base import Answer
from bot.adapters.mastodon.texts import essence, plain
from bot.errors import Later, Refused
from bot.language import Say
from bot.model import Capabilities, Outgoing, Receipt

GONE = (404, 410)
Json = dict[str, Any]


def refined(default: Capabilities, instance: Json) -> Capabilities:
    """The instance's own figures, where it gives them."""
    settings = _part(instance, "configuration")
    texts, media = _part(settings, "statuses"), _part(settings, "media_attachments")
    kinds = [k for k in media.get("supported_mime_types") or [] if str(k).startswith("image/")]
    limit = _number(instance, "max_toot_chars", default.text_limit)
    values = default.json() | {
        "text_limit": _number(texts, "max_characters", limit),
        "link_weight": _number(texts, "characters_reserved_per_url", default.link_weight),
        "media_count": _number(texts, "max_media_attachments", default.media_count),
        "media_kinds": kinds or default.media_kinds,
        "media_bytes": _number(media, "image_size_limit", default.media_bytes),
        "media_pixels": _number(media, "image_matrix_limit", default.media_pixels),
        "alt_limit": _number(media, "description_limit", default.alt_limit),
    }
    return Capabilities.of(values)


def _part(value: Any, name: str) -> Json:
    part = value.get(name) if isinstance(value, dict) else None
    return part if isinstance(part, dict) else {}


def _number(value: Mapping[str, Any], name: str, default: int) -> int:
    number = value.get(name)
    return number if isinstance(number, int) and number > 0 else default


# ---------------------------------------------------------------- statuses


def path_of(remote_id: str) -> str:
    return f"v1/statuses/{quote(remote_id, safe='')}"


def is_status(value: Any) -> bool:
    return isinstance(value, dict) and bool(value.get("id"))


def listed(value: Any) -> list[Json]:
    """A list of what has ids. Raises Later: a listing that is none cannot be read."""
    if isinstance(value, list) and all(map(is_status, value)):
        return value
    raise Later("平台给的列表不成样子，稍后再读")


def is_gone(answer: Answer) -> bool:
    """404, 410; or a tombstone: nothing is left in it (snac 2.96)."""
    value: Any = answer.json() if answer.status == 200 else None
    left = ("content", "media_attachments", "spoiler_text", "reblog", "poll")
    return answer.status in GONE or (is_status(value) and not any(value.get(k) for k in left))


def when(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def receipt_of(status: Json, raw: str = "") -> Receipt:
    url = str(status.get("url") or status.get("uri") or "")
    return Receipt(str(status["id"]), url, when(status.get("created_at")), raw)


def shortfalls(status: Json, outgoing: Outgoing) -> str:
    """What was asked for and is not there: it is out all the same, and the officer must know."""
    media = status.get("media_attachments") or []
    short = []
    if len(media) < len(outgoing.media):
        n, m = len(outgoing.media), len(media)
        short.append(Say("平台发出了，但 {n} 张图只挂上 {m} 张", n=n, m=m))
    elif silent := sum(bool(m.alt) for m in outgoing.media) - _described(media):
        short.append(Say("平台没有收下 {n} 张图的文字说明", n=silent))
    if outgoing.in_reply_to and not _answers(status, outgoing.in_reply_to):
        short.append(Say("平台没有把答复挂到原评论下，成了单独一条"))
    return "；".join(map(str, short))


def _described(media: list[Json]) -> int:
    return sum(bool(m.get("description")) for m in media)


def _answers(status: Json, remote_id: str) -> bool:
    return str(status.get("in_reply_to_id") or "").lower() == remote_id.lower()


def match(own: list[Json], outgoing: Outgoing, taken: frozenset[str]) -> Json | None:
    """The oldest of our posts that is `outgoing`; one that lost its thread only if none kept it."""
    alike = [
        s
        for s in reversed(own)
        if str(s["id"]) not in taken and not s.get("reblog") and _same_text(s, outgoing)
    ]
    kept = [s for s in alike if _answers(s, outgoing.in_reply_to)]
    astray = [s for s in alike if _answers(s, "")]
    return next(iter(kept or astray), None)


def _same_text(status: Json, outgoing: Outgoing) -> bool:
    if outgoing.text.strip():
        return essence(plain(str(status.get("content") or ""))) == essence(outgoing.text)
    return len(status.get("media_attachments") or []) == len(outgoing.media)


def stands_as(status: Json, outgoing: Outgoing) -> bool:
    """Is an edit there? Doing it again is harmless, so every difference counts."""
    media = status.get("media_attachments") or []
    return (
        _same_text(status, outgoing)
        and str(status.get("spoiler_text") or "") == outgoing.warning
        and [str(m.get("description") or "") for m in media] == [m.alt for m in outgoing.media]
    )


def reaches(statuses: Iterable[Json], since: datetime) -> bool:
    """Does a page, newest first, go back beyond `since`? Not if its order is odd."""
    times = [at for s in statuses if (at := when(s.get("created_at")))]
    return bool(times) and times[-1] < since and times == sorted(times, reverse=True)


def is_since(status: Json, since: datetime) -> bool:
    at = when(status.get("created_at"))
    return at is None or at >= since


def missing(me: Json, seen: int) -> str:
    """A listing that ended early: it shows fewer posts than the account has."""
    count = me.get("statuses_count")
    if isinstance(count, int) and count > seen:
        return str(Say("平台称共 {count} 条，列表只给出 {seen} 条", count=count, seen=seen))
    return ""


def direct(status: Any) -> int:
    return (counted(status, "replies_count") if isinstance(status, dict) else None) or 0


def counted(status: Json, name: str) -> int | None:
    count = status.get(name)
    return count if isinstance(count, int) else None


def unlisted(below: list[Json], remote_id: str) -> list[str]:
    """Where a server lists only what answers `remote_id` itself (snac): the ids to ask next."""
    flat = all(_answers(status, remote_id) for status in below)
    return [str(status["id"]) for status in below if direct(status)] if flat else []


def next_id(answer: Answer) -> str:
    """The max_id of a page's Link header."""
    link = str(answer.headers.get("link", ""))
    for url, rel in re.findall(r'<([^>]*)>;\s*rel="?(\w+)', link):
        if rel == "next":
            return dict(parse_qsl(urlsplit(str(url)).query)).get("max_id", "")
    return ""


def words_of(answer: Answer) -> str:
    """The platform's own reason, as short as it can be had."""
    value = answer.json()
    said = value.get("error") if isinstance(value, dict) else None
    if not said and "<" not in answer.text:
        said = answer.text.strip()
    return answer.blot(str(said or f"HTTP {answer.status}"))[:200]


def target_of(answer: Answer) -> str:
    """Where a redirect goes, without its query."""
    return str(answer.headers.get("location", "")).partition("?")[0][:200]


def granted(answer: Answer, name: str, url: str) -> Json:
    """A granting's answer, with what it must hold. Raises Refused, Later."""
    value = answer.json()
    if isinstance(value, dict) and value.get(name):
        return value
    kind = Later if answer.status == 429 or answer.status >= 500 else Refused
    raise kind("{url} 没有授权（HTTP {status}），请重新来过", url=url, status=answer.status)
