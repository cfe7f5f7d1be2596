"""Pictures and signed sheets: files named by their own digest, kept under data/media.

What is taken in is what will be uploaded: a picture is decoded and written anew, so that it carries
no place it was taken at and is what it says it is. The bytes a person signed are the bytes sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from bot import db
from bot.errors import Invalid, NotFound
from bot.model import Capabilities, Media

if TYPE_CHECKING:
    from PIL.Image import Image

KINDS = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
FORMATS = {kind: form for form, kind in KINDS.items()}
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


_MARKS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"RIFF": "WEBP"}


def kind_of(content: bytes) -> str | None:
    """The kind of a picture of the store's, by its first bytes: it was written by ourselves."""
    return next((KINDS[form] for mark, form in _MARKS.items() if content.startswith(mark)), None)


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


def keep_made(store: Store, conn: Connection, now: datetime, made: Iterable[Media]) -> None:
    """Name in the table what was made for a platform, a card, a smaller copy; its bytes stand."""
    there = [_row(one, "", now) for one in made if store.path(one.sha256).exists()]
    db.insert_missing(conn, db.media, there)


def _kept(
    store: Store, conn: Connection, now: datetime, content: bytes, media: Media, name: str
) -> Media:
    kept = replace(media, sha256=store.write(content))
    db.insert_missing(conn, db.media, [_row(kept, name, now)])
    return kept


def _row(media: Media, name: str, now: datetime) -> dict[str, Any]:
    size = {"size": media.size, "width": media.width, "height": media.height}
    return {"sha256": media.sha256, "kind": media.kind, "name": name, "at": now, **size}


def _redrawn(content: bytes, name: str) -> tuple[bytes, str, tuple[int, int]]:
    """The picture written anew, upright, animated where it was, with nothing else but its colours."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # we ask ourselves, before anything is decoded
    try:
        with Image.open(io.BytesIO(content), formats=list(KINDS)) as picture:
            kind = "JPEG" if picture.format == "MPO" else str(picture.format)  # as phones take them
            frames = 1 if kind == "JPEG" else getattr(picture, "n_frames", 1)
            _require_few_pixels(picture, frames, name)
            drawn = picture if frames > 1 else _for_screens(ImageOps.exif_transpose(picture))
            colours = drawn.info.get("icc_profile")
            bare: dict[str, Any] = {"comment": b"", "exif": b"", "xmp": b"", "icc_profile": colours}
            out = io.BytesIO()
            drawn.save(out, kind, quality=92, save_all=frames > 1, **bare)
            return out.getvalue(), KINDS[kind], drawn.size
    except Invalid:
        raise
    except Exception:  # a decoder that is fed anything may raise anything
        raise _unread(content, name) from None


def _require_few_pixels(picture: Image, frames: int, name: str) -> None:
    """A JPEG of more, as some phones take, is read at a half, a quarter or an eighth. Raises Invalid."""
    whole = width, height = picture.size
    for part in (2, 4, 8):
        if picture.width * picture.height * frames > MAX_PIXELS:
            picture.draft(picture.mode, (width // part, height // part))  # only a JPEG can
    if picture.width * picture.height * frames > MAX_PIXELS:
        of = dict(zip("wh", whole, strict=True)) | {"most": MAX_PIXELS // 10_000, "n": frames}
        if frames > 1:
            raise Invalid(
                "{name} 有 {w}×{h} 像素、{n} 帧，太大：各帧合计不超过 {most} 万像素",
                name=name,
                **of,
            )
        raise Invalid("{name} 有 {w}×{h} 像素，太大：请缩小到 {most} 万像素以内", name=name, **of)


def _for_screens(picture: Image) -> Image:
    """With 8 bits a channel and in no print colours: what platforms and browsers agree on."""
    if picture.mode.startswith("I"):
        return picture.convert("I").point(lambda grey: grey * (1 / 256)).convert("L")
    return _from_print(picture) if picture.mode == "CMYK" else picture


def _from_print(picture: Image) -> Image:
    """By its own profile where it has one that can be read."""
    from PIL import ImageCms

    profile, screen = picture.info.get("icc_profile"), ImageCms.createProfile("sRGB")
    made = None
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            printed = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            made = ImageCms.profileToProfile(picture, printed, screen, outputMode="RGB")
    made = made or picture.convert("RGB")
    made.info.pop("icc_profile", None)
    return made


_OTHERS = {b"ftypheic": "HEIC", b"ftypheix": "HEIC", b"ftypmif1": "HEIC", b"ftypmsf1": "HEIC", b"ftyphevc": "HEIC",
           b"ftypavif": "AVIF", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"BM": "BMP"}  # fmt: skip


def _unread(content: bytes, name: str) -> Invalid:
    """What it is instead, where that is met often, and what to do."""
    kind = next((k for m, k in _OTHERS.items() if content[4:12] == m or content.startswith(m)), "")
    if kind == "HEIC":
        return Invalid(
            "{name} 是 HEIC（苹果等手机的格式），各平台不收：请在手机上导出或另存为 JPEG 再传",
            name=name,
        )
    if kind:
        return Invalid(
            "{name} 是 {kind} 格式，各平台不收：请另存为 JPEG 或 PNG 再传", name=name, kind=kind
        )
    return Invalid("{name} 不是能读的图片（JPEG、PNG、GIF、WebP）", name=name)


# ---------------------------------------------------------------- a piece of a picture

LEAST = 16  # pixels of a side


@dataclass(frozen=True)
class Box:
    """A piece of a picture, in its pixels."""

    left: int
    top: int
    width: int
    height: int

    def within(self, picture: Media) -> Box:
        """The box moved and made smaller until it lies in the picture."""
        width = min(max(self.width, LEAST), picture.width)
        height = min(max(self.height, LEAST), picture.height)
        left = min(max(self.left, 0), picture.width - width)
        return Box(left, min(max(self.top, 0), picture.height - height), width, height)


def whole(picture: Media) -> Box:
    """All of it."""
    return Box(0, 0, picture.width, picture.height)


def middle(picture: Media, ratio: float) -> Box:
    """The largest piece of a width so many times its height, from the middle."""
    width = min(picture.width, round(picture.height * ratio))
    height = min(picture.height, round(picture.width / ratio))
    return Box((picture.width - width) // 2, (picture.height - height) // 2, width, height)


def cut(store: Store, conn: Connection, now: datetime, original: Media, box: Box) -> Media:
    """A piece of a picture; the original stays. Raises Invalid for what moves, NotFound."""
    box = box.within(original)
    if box == whole(original):
        return original
    made = _cut(store.root, original.sha256, original.kind, box)
    db.insert_missing(conn, db.media, [_row(made, "", now)])
    return replace(made, alt=original.alt)


@lru_cache(maxsize=64)
def _cut(root: Path, sha256: str, kind: str, box: Box) -> Media:
    from PIL import Image

    store = Store(root)
    with Image.open(io.BytesIO(store.read(sha256)), formats=list(KINDS)) as opened:
        if getattr(opened, "n_frames", 1) > 1:
            raise Invalid("会动的图不能裁剪")
        edges = box.left, box.top, box.left + box.width, box.top + box.height
        content = _saved(_plain(opened).crop(edges), FORMATS[kind], quality=92)
    return Media(store.write(content), kind, len(content), box.width, box.height)


# ---------------------------------------------------------------- as a platform takes it


@dataclass(frozen=True)
class Limits:
    """What a platform takes of a picture (bot.model.Capabilities.media_*); 0 is no limit."""

    kinds: tuple[str, ...]
    size: int
    pixels: int
    side: int
    ratio: float

    @classmethod
    def of(cls, able: Capabilities) -> Limits:
        measures = able.media_pixels, able.media_side, able.media_ratio
        return cls(able.media_kinds, able.media_bytes, *measures)

    def hold(self, picture: Media) -> bool:
        """Does it go as it is?"""
        heavy = self.size and picture.size > self.size
        return picture.kind in self.kinds and not heavy and not self.exceeded(picture)

    def exceeded(self, picture: Media) -> bool:
        """Are its measures beyond the platform's?"""
        long, short = (f(picture.width, picture.height) for f in (max, min))
        return bool(
            (self.pixels and long * short > self.pixels)
            or (self.side and long > self.side)
            or (self.ratio and long > short * self.ratio)
        )


def fitted(store: Store, picture: Media, able: Capabilities) -> Media:
    """The picture as the platform takes it: itself, or cropped, scaled down and compressed.

    A copy is written to the store. What cannot be fitted, as what moves, comes back as it is: it is
    for screening to say so.
    """
    limits = Limits.of(able)
    if limits.hold(picture):
        return picture
    return replace(_refitted(store.root, picture, limits), alt=picture.alt)


@lru_cache(maxsize=64)
def _refitted(root: Path, picture: Media, limits: Limits) -> Media:
    from PIL import Image

    store = Store(root)
    try:
        with Image.open(io.BytesIO(store.read(picture.sha256)), formats=list(KINDS)) as opened:
            if getattr(opened, "n_frames", 1) > 1:
                return picture
            made = _within(_cropped(_plain(opened), limits.ratio), limits, picture.kind)
    except (NotFound, Invalid, OSError):  # not there, or damaged: told when it is staged
        return picture
    if made is None:
        return picture
    content, kind, (width, height) = made
    return Media(store.write(content), kind, len(content), width, height, picture.alt)


def _plain(picture: Image) -> Image:
    """In colours that can be scaled: no palette, no print colours."""
    if picture.mode in ("RGB", "RGBA", "L"):
        return picture
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _cropped(picture: Image, ratio: float) -> Image:
    """The middle of what is too wide, the top of what is too tall: there a text begins."""
    width, height = picture.size
    if ratio and width > height * ratio:
        spare = width - round(height * ratio)
        return picture.crop((spare // 2, 0, width - (spare - spare // 2), height))
    if ratio and height > width * ratio:
        return picture.crop((0, 0, width, round(width * ratio)))
    return picture


_QUALITIES = (88, 75, 60)
_PIXELS = 10  # of a byte, at best, in a picture of text
_BICUBIC = 3
_SMALLEST = 320  # pixels of the longer side: below it nothing can be read


def _within(picture: Image, limits: Limits, kind: str) -> tuple[bytes, str, tuple[int, int]] | None:
    """Bytes within the limits: first as it is, then as JPEG, then smaller and smaller."""
    here = _scaled(picture, limits)
    while True:
        size = 0
        for content, form in _encoded(here, kind, limits.kinds):
            size = len(content)
            if not limits.size or size <= limits.size:
                return content, form, here.size
        by = min(0.9, math.sqrt(limits.size / size)) if size else 0
        smaller = int(here.width * by), int(here.height * by)
        if max(smaller) < _SMALLEST or not min(smaller):
            return None
        here = picture.resize(smaller, resample=_BICUBIC)


def _scaled(picture: Image, limits: Limits) -> Image:
    """Within the measures; and not so large that it would be compressed in vain."""
    width, height = picture.size
    pixels = min(limits.pixels or math.inf, limits.size * _PIXELS or math.inf)
    by = min(
        1.0,
        limits.side / max(width, height) if limits.side else 1.0,
        math.sqrt(pixels / (width * height)),
    )
    size = max(1, int(width * by)), max(1, int(height * by))
    return picture.resize(size, resample=_BICUBIC) if by < 1 else picture


def _encoded(picture: Image, kind: str, kinds: tuple[str, ...]) -> Iterator[tuple[bytes, str]]:
    """The picture in the forms the platform takes, the best first."""
    if kind in kinds and kind != KINDS["JPEG"]:
        yield _saved(picture, FORMATS[kind]), kind
    if KINDS["JPEG"] in kinds:
        for quality in _QUALITIES:
            yield _saved(_opaque(picture), "JPEG", quality=quality), KINDS["JPEG"]
    elif KINDS["PNG"] in kinds and kind != KINDS["PNG"]:
        yield _saved(picture, "PNG"), KINDS["PNG"]


def _opaque(picture: Image) -> Image:
    """Without transparency, on white: JPEG has none."""
    from PIL import Image

    if picture.mode in ("RGB", "L"):
        return picture
    drawn = picture.convert("RGBA")
    paper = Image.new("RGBA", drawn.size, "white")
    return Image.alpha_composite(paper, drawn).convert("RGB")


def _saved(picture: Image, form: str, **how: Any) -> bytes:
    """Written anew with nothing beside the picture; its colours' profile where they are kept."""
    colours = picture.info.get("icc_profile") if picture.mode == "RGB" else None
    out = io.BytesIO()
    picture.save(out, form, icc_profile=colours, exif=b"", **how)
    return out.getvalue()
