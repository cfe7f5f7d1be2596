"""Pictures and signed sheets: files named by their own digest, kept under data/media.

What is taken in is what will be uploaded: a picture is decoded and written anew, so that it carries
no place it was taken at and is what it says it is. The bytes a person signed are the bytes sent.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import Connection

from bot import db
from bot.errors import Invalid, NotFound
from bot.model import Media

KINDS = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 50_000_000  # of all frames
_DIGEST = re.compile("[0-9a-f]{64}")


class Store:
    """The folder of content-addressed files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256

    def read(self, sha256: str) -> bytes:
        """The bytes; checked, so that a damaged file is never sent. Raises NotFound, Invalid."""
        try:
            content = self.path(sha256).read_bytes() if _DIGEST.fullmatch(sha256) else None
        except FileNotFoundError:
            content = None
        if content is None:
            raise NotFound("素材 {name} 不在 data/media 里", name=sha256[:12])
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Invalid("素材 {name} 的文件已损坏", name=sha256[:12])
        return content

    def write(self, content: bytes) -> str:
        """Keep bytes; give their SHA-256. The file is whole or not there; a damaged one is mended."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.path(sha256)
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{token_hex(4)}")
            with draft.open("wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            draft.replace(path)
        return sha256


def take_picture(
    store: Store, conn: Connection, now: datetime, content: bytes, name: str, alt: str = ""
) -> Media:
    """Check a picture, strip its metadata, keep it. Raises Invalid saying what is wrong."""
    if len(content) > MAX_BYTES:
        raise Invalid("{name} 超过 {n} MB，请先压缩", name=name, n=MAX_BYTES >> 20)
    clean, kind, (width, height) = _redrawn(content, name)
    return _kept(store, conn, now, clean, Media("", kind, len(clean), width, height, alt), name)


def take_sheet(store: Store, conn: Connection, now: datetime, content: bytes, name: str) -> str:
    """Keep a signed sheet (PDF or picture) as it is; give its SHA-256. Raises Invalid."""
    if content[:5] == b"%PDF-" and len(content) <= MAX_BYTES:
        media = Media("", "application/pdf", len(content), 0, 0)
        return _kept(store, conn, now, content, media, name).sha256
    return take_picture(store, conn, now, content, name).sha256


def _kept(
    store: Store, conn: Connection, now: datetime, content: bytes, media: Media, name: str
) -> Media:
    sha256 = store.write(content)
    row = {"sha256": sha256, "kind": media.kind, "size": media.size, "name": name, "at": now}
    db.insert_missing(conn, db.media, [{**row, "width": media.width, "height": media.height}])
    return Media(sha256, media.kind, media.size, media.width, media.height, media.alt)


def _redrawn(content: bytes, name: str) -> tuple[bytes, str, tuple[int, int]]:
    """The picture written anew, upright, animated where it was, with nothing else but its colours."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content), formats=list(KINDS)) as picture:
            kind = "JPEG" if picture.format == "MPO" else str(picture.format)  # as phones take them
            frames = 1 if kind == "JPEG" else getattr(picture, "n_frames", 1)
            width, height = picture.size
            if width * height * frames > MAX_PIXELS:
                raise Invalid(
                    "{name} 有 {w}×{h} 像素、{n} 帧，太大", name=name, w=width, h=height, n=frames
                )
            drawn = picture if frames > 1 else ImageOps.exif_transpose(picture)
            colours = picture.info.get("icc_profile")
            bare: dict[str, Any] = {"comment": b"", "exif": b"", "xmp": b"", "icc_profile": colours}
            out = io.BytesIO()
            drawn.save(out, kind, quality=92, save_all=frames > 1, **bare)
            return out.getvalue(), KINDS[kind], drawn.size
    except Invalid:
        raise
    except Exception:  # a decoder that is fed anything may raise anything
        raise Invalid("{name} 不是能读的图片（JPEG、PNG、GIF、WebP）", name=name) from None
