"""Office files as ZIPs that may be hostile: opened within limits, or a sentence says why not."""

from __future__ import annotations

import io
import re
from zipfile import BadZipFile, ZipFile

from bot.errors import SourceError
from bot.language import Say

UNPACKED = 200_000_000  # bytes of all parts together
PARTS = 5_000  # files in one ZIP
_SIGNS = {
    b"%PDF": Say("PDF 文件"),
    b"Rar!": Say("压缩包"),
    b"7z\xbc\xaf": Say("压缩包"),
    b"\x89PNG": Say("图片"),
    b"\xff\xd8\xff": Say("图片"),
    b"GIF8": Say("图片"),
}
_ENDED = re.compile(rb"PK\x05\x06")  # the end of an archive: it is whole
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
WORKBOOK, DOCUMENT = "xl/workbook.xml", "word/document.xml"


def is_zip(body: bytes) -> bool:
    return body.startswith(_ZIP)


def is_old(body: bytes) -> bool:
    """The container of Office 97 to 2003, which also wraps what a password protects."""
    return body.startswith(_OLE)


def holds(body: bytes, part: str) -> bool:
    """Is this a ZIP that can be opened and has this part?"""
    try:
        return is_zip(body) and part in ZipFile(io.BytesIO(body)).NameToInfo
    except (BadZipFile, ValueError, OSError, NotImplementedError):
        return False


def no_text(body: bytes) -> Say | None:
    """What a file is that neither is text nor a document or workbook that can be opened."""
    if holds(body, "OFD.xml"):
        return Say("OFD 版式文件")
    if is_zip(body) and not (holds(body, WORKBOOK) or holds(body, DOCUMENT)):
        return Say("压缩包") if _ENDED.search(body) else None
    return next((what for sign, what in _SIGNS.items() if body.startswith(sign)), None)


def checked(body: bytes, part: str) -> None:
    """Raises SourceError unless `body` may be handed to a library that reads `part` of it.

    What a part's own header promises is all that zipfile ever unpacks of it, so the sum of these
    is the measure of a bomb.
    """
    if is_old(body):
        if _ENCRYPTED in body:
            raise SourceError("文件有密码保护，请去掉密码后再放入")
        raise SourceError("是旧版 Office 或 WPS 格式，请另存为 .docx 或 .xlsx")
    try:
        parts = ZipFile(io.BytesIO(body)).infolist()
    except (BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise SourceError("文件不完整或已损坏（{raw}）", raw=str(error)) from error
    if part not in {one.filename for one in parts}:
        raise SourceError("不是所说的文件：缺少 {part}", part=part)
    if len(parts) > PARTS or sum(one.file_size for one in parts) > UNPACKED:
        raise SourceError("文件解压后超过 {n} 字节，不予读取", n=UNPACKED)
    if any(one.flag_bits & 1 for one in parts):
        raise SourceError("文件有密码保护，请去掉密码后再放入")
