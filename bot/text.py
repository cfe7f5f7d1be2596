"""Counting and fitting: each platform's unit, links, graphemes. Pure functions of text.

What each unit counts:

- WEIBO: the counter of Sina's own composer (its count.js, on public GitHub): CRLF is LF, a
  Latin-1 character is half a character, any other UTF-16 unit one, a link ten up to 140 of its
  characters and the excess beyond; t.cn links, and short ones of Weibo's own hosts, as they stand;
  the sum rounded up. The server's own rule is not published.
- GRAPHEMES: what a reader sees as one character (UAX #29): Bluesky, and Mastodon, whose
  StatusLengthValidator takes `each_grapheme_cluster` after replacing links and mentions.
- CHARACTERS: code points, never fewer than graphemes: the safe count for the other servers that
  speak Mastodon's API (GoToSocial counts code points, and links whole).

`link_weight`, where it is set, brings Mastodon's other two rules: a link it would recognise counts
that much, and of a remote mention @user@host only @user counts.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

from bot.model import Capabilities, Topics, Unit

ELLIPSIS = "……"

# ---------------------------------------------------------------- bytes


def decoded(raw: bytes) -> str:
    """The text of a file that somebody's own computer made: UTF-8, else what programs in Chinese
    write. Raises ValueError."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "gb18030")
    if "\0" in text:
        raise ValueError("no text")
    return text


# ---------------------------------------------------------------- links

# Platforms end a link at the first character that is not printable ASCII.
_LINK = re.compile(
    r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d+)?(?:[/?#][!#-;=?-~]*)?", re.I
)
_LINK_TAIL = ".,;:!?'*[]{}|"


Spans = tuple[tuple[int, int], ...]


@lru_cache(maxsize=16)  # who screens or fits a text asks for its links several times
def links(text: str) -> Spans:
    """The spans of links in `text`, in order, as platforms end them.

    A link ends before the first non-ASCII character or blank. ASCII punctuation at its end is the
    sentence's, not the link's; so is a closing bracket that the link does not open.
    """
    if "://" not in text:
        return ()
    return tuple((m.start(), m.start() + len(_trimmed(m[0]))) for m in _LINK.finditer(text))


def _trimmed(link: str) -> str:
    end, unopened = len(link), link.count(")") - link.count("(")
    while link[end - 1] in _LINK_TAIL or (link[end - 1] == ")" and unopened > 0):
        end -= 1
        unopened -= link[end] == ")"
    return link[:end]


_TOPIC = re.compile(r"#[^#\n]{1,140}#")


def without_topics(text: str) -> str:
    """`text` without Weibo's #话题#; a # in a link begins and ends none."""
    for start, end in links(text):
        text = text[:start] + text[start:end].replace("#", "\0") + text[end:]
    return _TOPIC.sub("", text).replace("\0", "#")


def with_parameter(text: str, link: str, name: str, value: str) -> tuple[str, str]:
    """`text` with name=value in the query of `link`, else of its first link; and that link anew.

    A blank follows the link then, since ASCII punctuation would stick to it. A text without a link
    comes back as it is, and with it `link`.
    """
    spans = links(text)
    if not spans:
        return text, link
    start, end = next((s for s in spans if text[slice(*s)] == link), spans[0])
    made = _parametrised(text[start:end], name, value)
    gap = "" if text[end : end + 1].strip() == "" else " "
    return f"{text[:start]}{made}{gap}{text[end:]}", made


def _parametrised(link: str, name: str, value: str) -> str:
    """An earlier value gives way: the text may be pasted from what was published."""
    address, mark, fragment = link.partition("#")
    path, _, query = address.partition("?")
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] != name]
    return f"{path}?{'&'.join([*kept, f'{name}={value}'])}{mark}{fragment}"


def encoded(link: str) -> str:
    """An address with each letter that is not ASCII as %E4…: platforms end a link before a 汉字."""
    return quote(link, safe="!#$%&'()*+,/:;=?@[]~")


def asked_as(link: str, parameter: str = "") -> str:
    """The address that opens `link`: without a place in its page, and without the parameter that
    makes each post's link its own."""
    address = link.partition("#")[0]
    path, _, query = address.partition("?")
    if not parameter or not query:
        return address
    kept = [pair for pair in query.split("&") if pair.partition("=")[0] != parameter]
    return f"{path}?{'&'.join(kept)}" if kept else path


def host_within(link: str, domains: tuple[str, ...]) -> bool:
    """Is the host of `link` one of `domains`, or below one? Any host is, where none are given."""
    host = (urlsplit(link).hostname or "").lower()
    return not domains or any(host == d or host.endswith(f".{d}") for d in domains)


# ---------------------------------------------------------------- counting


def count(text: str, unit: Unit, link_weight: int = 0) -> int:
    """How many `unit`s `text` counts (see above); 0 for Unit.NONE."""
    if unit is Unit.NONE:
        return 0
    if unit is Unit.WEIBO:
        return _weibo(text)
    if link_weight:
        text = _weighed(text, link_weight)
    return len(text) if unit is Unit.CHARACTERS else _graphemes(text)


def over(text: str, capabilities: Capabilities) -> int:
    """By how many units `text` exceeds what the platform takes; 0 when it fits.

    An excess of bytes alone is told in Chinese characters, three bytes each, rounded up.
    """
    limit, byte_limit = capabilities.text_limit, capabilities.byte_limit
    units = count(text, capabilities.unit, capabilities.link_weight) - limit if limit else 0
    spare = byte_limit - len(text.encode("utf-8", "surrogatepass")) if byte_limit else 0
    return max(0, units, -(spare // 3))


_WEIBO_OWN = re.compile(
    r"https?://(?:t\.sina\.com\.cn|t\.sina\.cn|weibo\.com|weibo\.cn)(?![\w.-])", re.I
)
_WEIBO_SHORT = re.compile(r"https?://t\.cn(?![\w.-])", re.I)


def _weibo(text: str) -> int:
    text = text.replace("\r\n", "\n")
    halves = _halves(text)
    for start, end in links(text):
        link = text[start:end]
        stands = _WEIBO_SHORT.match(link) or (len(link) <= 41 and _WEIBO_OWN.match(link))
        if not stands:
            halves += 20 + max(0, len(link) - 140) - len(link)
    return -(-halves // 2)


def _halves(text: str) -> int:
    """Two for each UTF-16 unit, less one for each whose high byte is 0 (Latin-1)."""
    units = text.encode("utf-16-le", "surrogatepass")
    return len(units) - units[1::2].count(0)


# What Mastodon's extractor takes for a link (a named host, no letter or @$# before it, at most 4,096
# characters) and for a remote mention (a domain of at most 253).
_LINKED = re.compile(
    r"(?<![a-z0-9@＠$#＃])https?://(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]+(?![\w.-])", re.I
)
_MENTION = re.compile(
    r"(?<![=/\w])(@[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)@([a-z0-9]+(?:[.-]+[a-z0-9]+)*)(?![a-z0-9_@])",
    re.I,
)


def _weighed(text: str, weight: int) -> str:
    """`text` with each link as `weight` letters and of a remote mention only its front part."""
    out, at = [], 0
    for start, end in links(text):
        if end - start <= 4096 and _LINKED.match(text, start, end):
            out += [text[at:start], "x" * weight]
            at = end
    text = "".join([*out, text[at:]])
    if text.count("@") < 2:
        return text
    return _MENTION.sub(lambda m: m[1] if len(m[2]) <= 253 else m[0], text)


# Characters that are each a grapheme whatever stands beside them: no marks, no joiners, no CR.
_PLAIN = re.compile(r"[\n -~¡-¬®-ÿ‘-”–—…　-〩㐀-鿿！-～￠-￦]*")


def _graphemes(text: str) -> int:
    return len(text) if _PLAIN.fullmatch(text) else len(_cluster().findall(text))


@cache
def _cluster() -> Any:
    import regex  # 5 ms: only texts with emoji or marks need it

    return regex.compile(r"\X")


# ---------------------------------------------------------------- cutting

_SENTENCE_END = re.compile(r"(?:[。！？；…!?;]|\.(?=\s))+[”’」』）】]*|\n+")
_CLAUSE_END = re.compile(r"[，、：,:]+|——|[ \u3000]+")
# What loses its sense when cut: titles, quotations, brackets, topics, emoticons; and, worse, a date,
# a sum or a Latin word.
_PAIR = re.compile(
    r"《[^《》]*》|“[^“”]*”|「[^「」]*」|【[^【】]*】|（[^（）]*）|#[^#\s]{1,40}#|\[[^\[\]\s]{1,8}\]"
)
_WORD = re.compile(
    r"(?:[0-9]+(?:[.,:][0-9]+)*[年月日时分号个万亿元%]*)+|@?[A-Za-z0-9_]+(?:[@./+-][A-Za-z0-9_]+)*"
)
# Within a title that is cut all the same, what loses its sense.
_INNER = re.compile(r"〈[^〈〉]*〉|（[^（）]*）")
_INNER_END = re.compile(r"〉+|[，、：,:]+")
# The number of a paragraph and how it begins.
_LEAD = re.compile(
    r"(?m:^)[ \u3000]*(?:[0-9]{1,2}[.．、]|[一二三四五六七八九十]{1,3}、|（[一二三四五六七八九十]{1,3}）)"
    r"[ \u3000]*\S"
)
_CLOSED_BY = dict(zip("《〈“「【（", "》〉”」】）", strict=True))
_DANGLING = " \u3000\n\r\t，、：；,:;—…《〈“「【（"


def fit(text: str, capabilities: Capabilities, keep_link: str = "") -> str:
    """`text`, shortened only if it must be, so that over(…) is 0.

    Cut at the end of a sentence, else of a clause, wherever that leaves at least half of what there
    is room for; else between two graphemes, outside 《》, “” and figures where that is as cheap.
    「……」 marks the cut; what was opened before it is closed after it. `keep_link`, where it stands in the text, is kept whole at the end after a
    space; no other link is ever cut. Raises ValueError if not even the link alone fits, or nothing
    of a text without one.
    """
    if not over(text, capabilities):
        return text
    body, tail = _without(text, keep_link)

    def shortened(at: int) -> str:
        head = body[:at] if at == len(body) else _marked(body[:at])
        return " ".join(filter(None, (head, tail)))

    at = _cut(body, lambda at: not over(shortened(at), capabilities))
    if at and (short := shortened(at)):
        return short
    if tail and not over(tail, capabilities):
        return tail
    raise ValueError(f"no room in {capabilities.text_limit} {capabilities.unit}")


def thread(text: str, capabilities: Capabilities, link: str = "") -> list[str]:
    """`text` in ordered parts that each fit, numbered “（1/3）” at their ends; [text] if it fits.

    Cut as `fit` cuts. Without the numbers, and the blanks around the cuts, the parts are the text;
    but `link` goes into the first, for platforms that want it there. Raises ValueError if a part cannot be made, as when a link alone is longer than the limit.
    """
    parts = _parts(text, capabilities)
    return parts if link in parts[0] else _parts(_leading(text, link, capabilities), capabilities)


def _parts(text: str, capabilities: Capabilities) -> list[str]:
    if not over(text, capabilities):
        return [text]
    for digits in range(1, 5):
        parts = _split(text, "9" * digits, capabilities)
        if len(parts) < 10**digits:
            return [_numbered(part, i, len(parts)) for i, part in enumerate(parts, 1)]
    raise ValueError(f"more than {len(parts)} parts")


def _leading(text: str, link: str, capabilities: Capabilities) -> str:
    """`text` with the link it holds below its first line, or before it where that line is long."""
    bare, found = _without(text, link)
    head, _, rest = bare.partition("\n")
    if not found or over(_numbered(f"{head}\n{found}", "9999", "9999"), capabilities):
        return f"{found} {bare}" if found else text
    return "\n".join(filter(None, (head, found, rest)))


def _split(text: str, widest: str, capabilities: Capabilities) -> list[str]:
    """Parts that fit even with the number （widest/widest）."""
    parts, rest = [], text.strip()

    def fits(at: int) -> bool:
        return not over(_numbered(rest[:at].strip(), widest, widest), capabilities)

    while rest:
        at = _cut(rest, fits)
        if not at:
            raise ValueError(f"no room in {capabilities.text_limit} {capabilities.unit}")
        parts.append(rest[:at].strip())
        rest = rest[at:].strip()
    return parts


def _numbered(part: str, i: int | str, n: int | str) -> str:
    return f"{part}{_gap(part)}（{i}/{n}）"


def _marked(head: str) -> str:
    head = head.rstrip(_DANGLING)
    return f"{head}{_gap(head)}{ELLIPSIS}{_closing(head)}" if head else ""


def _closing(head: str) -> str:
    """The marks that close what `head` leaves open, the innermost first."""
    wanted = ""
    for mark in head:
        if mark in _CLOSED_BY:
            wanted = _CLOSED_BY[mark] + wanted
        elif mark in wanted:
            wanted = wanted.partition(mark)[2]
    return wanted


def _gap(head: str) -> str:
    """The space a link needs after it: some platforms read on to the next blank."""
    spans = links(head)
    return " " if spans and spans[-1][1] == len(head) else ""


def _without(text: str, link: str) -> tuple[str, str]:
    """`text` without the last `link` in it, and the link; the link is "" where it is not there.

    It is not there where it is only the beginning of a longer link.
    """
    inside = _inside_links(text)
    found = [m for m in re.finditer(re.escape(link), text) if not inside & {m.start(), m.end()}]
    if not link or not found:
        return text, ""
    return text[: found[-1].start()].rstrip() + text[found[-1].end() :].rstrip(), link


def _cut(text: str, fits: Callable[[int], bool]) -> int:
    """The best place to cut `text` so that text[:at] fits; its whole length if it can; 0 is none."""
    if fits(len(text)):
        return len(text)
    places = _places(text)
    places = places[: bisect_left(places, True, key=lambda at: not fits(at))]
    if not places:
        return 0
    late = {at for at in places if at >= places[-1] // 2}
    unbroken = late - _inside(_WORD, text) - _inside(_LEAD, text)
    good, within = (unbroken - _inside(pattern, text) for pattern in (_PAIR, _INNER))
    sentences, clauses, inner = (
        {m.end() for m in p.finditer(text)} for p in (_SENTENCE_END, _CLAUSE_END, _INNER_END)
    )
    ranked = [good & sentences, good & clauses, good, within & inner, within, unbroken, places]
    # counting is not quite monotonous (a mention shrinks when its @host is whole), so ask again
    return next((at for tier in ranked for at in sorted(tier, reverse=True) if fits(at)), 0)


def _inside(pattern: re.Pattern[str], text: str) -> set[int]:
    return {at for m in pattern.finditer(text) for at in range(m.start() + 1, m.end())}


def _places(text: str) -> list[int]:
    """Ends of graphemes in `text` that are not inside a link."""
    inside = _inside_links(text)
    return [m.end() for m in _cluster().finditer(text) if m.end() not in inside]


def _inside_links(text: str) -> set[int]:
    return {at for start, end in links(text) for at in range(start + 1, end)}


# ---------------------------------------------------------------- template filters


def short_title(title: str, n: int) -> str:
    """`title` on one line, in at most `n` graphemes; “…” stands for what was cut, and what was opened
    before it is closed after it."""
    title = " ".join(title.split())
    ends = [0, *(m.end() for m in _cluster().finditer(title))]
    if len(ends) <= n + 1:
        return title
    heads = (title[: ends[at]].rstrip(_DANGLING) for at in range(n - 1, 0, -1))
    made = (f"{head}…{_closing(head)}" for head in heads)
    return next((short for short in made if _graphemes(short) <= n), "…")


_NO_TOPIC = re.compile(r"[^\w·]+|_+")


def topic(words: str, form: Topics) -> str:
    """`words` as a topic tag: #话题# or #话题; "" where the platform has none, or nothing is left.

    Mastodon ends a tag at the first character that is no letter, digit or “·”, and takes none of
    digits alone; what would break it is left out in both forms.
    """
    bare = _NO_TOPIC.sub("", words)
    if form not in (Topics.BEFORE, Topics.AROUND) or not bare or bare.isdigit():
        return ""
    return f"#{bare}#" if form is Topics.AROUND else f"#{bare}"


def chinese_date(day: date) -> str:
    """2026年9月22日, GB/T 9704's form. A datetime is read as it stands, in its own zone."""
    return f"{day.year}年{day.month}月{day.day}日"


_BRACKETS = str.maketrans("([{【〖〈《）)]}】〗〉》", "〔" * 7 + "〕" * 8)


def document_key(number: str) -> str:
    """A document number as it is looked for: brackets, blanks, widths and “第” make no difference.

    >>> document_key("云政发 [2026] 第5号") == document_key("云政发〔2026〕5号")
    True
    """
    folded = unicodedata.normalize("NFKC", number).translate(_BRACKETS)
    return "".join(folded.split()).replace("〕第", "〕").casefold()
