"""Bytes as text: unpacking, and which encoding they are in.

The rule, measured against hostile feeds: a byte-order mark; strict UTF-8; what HTTP says; what the
document declares; GB18030, or Big5 where that gives characters of private use; at last the one of
these that spoils least, which is then a problem.
GB2312 and GBK are read as GB18030, whose subsets they are and whose characters they hold in fact.
"""

from __future__ import annotations

import codecs
import re
import zlib
from dataclasses import dataclass

from bot.errors import SourceError
from bot.language import Say
from bot.model import Problem

LIMIT = 20_000_000  # bytes of a catalogue, unpacked
ITEMS = 10_000  # entries of a catalogue
LAYERS = 3  # a .gz file sent with Content-Encoding: gzip has two

_GZIP = b"\x1f\x8b\x08"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What is declared → what browsers read it as, for the same reason: the real bytes are the superset.
_SUPERSETS = {
    "ascii": "cp1252",
    "big5": "cp950",
    "euc_kr": "cp949",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "shift_jis": "cp932",
    "tis-620": "cp874",
}
# Those that hold ASCII as it is, for the declaration was read as ASCII: no UTF-16, no EBCDIC, and
# none of Python's codecs that are not encodings at all.
_PLAIN_CODECS = re.compile(r"utf-8|gb|big5|cp(?:125|437|85|86|874|9)|iso8859|koi8|mac|euc|kz1048")
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']\s*([\w.:-]{2,40})")
_IN_HTML = re.compile(rb"<meta\b[^<>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.I)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.I)
# Chinese comes in pairs of high bytes, an accent of the West alone.
_PAIR, _LONE = (
    re.compile(rb"[\x81-\xfe][\xa1-\xfe]"),
    re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])"),
)
_NOT_ASCII = re.compile("[^\x00-\x7f\ufffd]")
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_LONG = re.compile("[\u0800-\uffff]")
_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True)
class Text:
    text: str
    encoding: str
    problems: tuple[Problem, ...] = ()


def unpack(body: bytes, limit: int = LIMIT, *, deflated: bool = False) -> bytes:
    """`body` without its gzip or zlib layers. Raises SourceError when cut or over `limit` bytes.

    `deflated`: HTTP says so; some servers then send it without a header to tell it by.
    """
    if deflated and not _is_packed(body) and body.lstrip()[:1] not in b"<{[":
        body = _inflate(body, limit, -zlib.MAX_WBITS)
    for _ in range(LAYERS):
        if not _is_packed(body):
            break
        body = _inflate(body, limit, zlib.MAX_WBITS | 32)  # gzip or zlib, told apart by itself
    if len(body) > limit:
        raise SourceError("目录超过 {n} 字节，不予读取", n=limit)
    return body


def _is_packed(body: bytes) -> bool:
    zlib_header = body[:1] == b"\x78" and len(body) > 2 and (body[0] << 8 | body[1]) % 31 == 0
    return body.startswith(_GZIP) or zlib_header


def _inflate(body: bytes, limit: int, wbits: int) -> bytes:
    """Every member of the stream; what trails the last one is no matter."""
    out = bytearray()
    while True:
        stream = zlib.decompressobj(wbits)
        try:
            out += stream.decompress(body, limit + 1 - len(out))
        except zlib.error as error:
            raise SourceError(
                "压缩的目录已损坏：解压到第 {n} 字节处出错（{raw}）", n=len(out), raw=str(error)
            ) from error
        if len(out) > limit:
            raise SourceError("目录解压后超过 {n} 字节，不予读取", n=limit)
        if not stream.eof:
            raise SourceError("压缩的目录不完整：解压到第 {n} 字节处中断", n=len(out))
        body = stream.unused_data
        if not body.startswith(_GZIP):
            return bytes(out)


def decode(body: bytes, content_type: str = "") -> Text:
    """`body` as text without control characters, its encoding, and what had to be forgiven."""
    for bom, name in _BOMS:
        if body.startswith(bom):
            return _settled(body[len(bom) :], name)
    if b"\0" in body[:4] and (wide := _wide(body[:4])):
        return _settled(body, wide)
    return _guessed(body.translate(None, _CONTROLS), _named(content_type, body))


def _wide(head: bytes) -> str:
    """UTF-16 or UTF-32 without a mark, told by where the first character has its zeros."""
    zeros = "".join("." if byte else "0" for byte in head)
    return {
        "000.": "utf-32-be",
        ".000": "utf-32-le",
        "0.0.": "utf-16-be",
        ".0.0": "utf-16-le",
    }.get(zeros, "")


def _named(content_type: str, body: bytes) -> list[str]:
    """What HTTP and the document call the encoding, as Python codecs, unknown ones left out."""
    charset = _CHARSET.search(content_type)
    declared = _DECLARED.search(body, 0, 2048) or _IN_HTML.search(body, 0, 4096)
    names = [charset[1] if charset else "", declared[1].decode() if declared else ""]
    return [codec for name in names if (codec := _codec(name))]


def _codec(name: str) -> str:
    name = name.lower().removeprefix("x-")
    if name.startswith("gb"):
        return "gb18030"
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    known = _SUPERSETS.get(known, known)
    return known if _PLAIN_CODECS.match(known) else ""


def _guessed(body: bytes, named: list[str]) -> Text:
    text = _strictly(body, "utf-8")
    if text is not None:
        return Text(_clean(text), "utf-8") if text.isascii() else _utf8_or(body, text, named)
    for name in dict.fromkeys(named):
        text = _strictly(body, name)
        if text is not None:
            return Text(_clean(text), name)
    return _spoiled(body, named)


def _spoiled(body: bytes, named: list[str]) -> Text:
    """No name given holds: UTF-8 with a few bad bytes, or undeclared, or what spoils least."""
    utf8 = _settled(body, "utf-8")
    bad = utf8.text.count("\ufffd")
    if bad * 20 < len(_NOT_ASCII.findall(utf8.text)):
        return utf8
    usual = "gb18030" if len(_PAIR.findall(body)) >= len(_LONE.findall(body)) else "cp1252"
    text = _strictly(body, usual)
    if text is not None and (big5 := _as_big5(body, text)):
        text, usual = big5, "cp950"
    if text is not None:
        return Text(_clean(text), usual, _undeclared(usual, named))
    others = (_settled(body, name) for name in dict.fromkeys([*named, usual]))
    return min(utf8, *others, key=lambda t: t.text.count("\ufffd"))


def _as_big5(body: bytes, text: str) -> str | None:
    """Big5, of which `text` is the reading as GB18030: that knows every pair of bytes, but one in
    fifty or more as a character of private use. None where it is no Big5."""
    if len(_PRIVATE.findall(text)) * 50 < len(_NOT_ASCII.findall(text)):
        return None
    other = _strictly(body, "cp950")
    return None if other is None or _PRIVATE.search(other) else other


def _utf8_or(body: bytes, text: str, named: list[str]) -> Text:
    """Two GBK characters may by chance be valid UTF-8 (联通), but never Chinese in it."""
    chinese = next((n for n in named if n in ("gb18030", "cp950")), None)
    if chinese and not _LONG.search(text) and (other := _strictly(body, chinese)) is not None:
        return Text(_clean(other), chinese)
    return Text(_clean(text), "utf-8", _undeclared("utf-8", named))


def _undeclared(name: str, named: list[str]) -> tuple[Problem, ...]:
    if name in named or (name == "utf-8" and not named):
        return ()
    told = "、".join(named) or Say("未声明")
    return (_problem(Say("编码实为 {name}，声明为 {told}", name=name, told=told)),)


def _settled(body: bytes, name: str) -> Text:
    text = _segments(body, name)
    spoiled = text.count("\ufffd")
    said = Say("有 {n} 处字节不合 {name} 编码，以 � 代替", n=spoiled, name=name)
    problems = (_problem(said),) if spoiled else ()
    return Text(_UNWANTED.sub("", text).lstrip("\ufeff"), name, problems)


def _strictly(body: bytes, name: str) -> str | None:
    """None too where a character cut in half has swallowed a bracket: see `_segments`."""
    try:
        text = body.decode(name)
    except UnicodeDecodeError:
        return None
    return text if text.count("]]>") == body.count(b"]]>") else None


def _segments(body: bytes, name: str) -> str:
    """Decode between CDATA ends, so that a character cut in half before `]]>` cannot swallow its
    first bracket (0x5D is a second byte in GBK and Big5) and with it the rest of the document."""
    if name.startswith("utf"):
        return body.decode(name, "replace")
    return "]]>".join(part.decode(name, "replace") for part in body.split(b"]]>"))


def _clean(text: str) -> str:
    return text.lstrip("\ufeff").replace("\ufffe", "").replace("\uffff", "")


def _problem(say: Say) -> Problem:
    return Problem(str(Say("全文")), str(say))
