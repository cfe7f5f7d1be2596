"""Pictures: what is taken in, what is left out of it, and what is refused."""

from __future__ import annotations

import hashlib
import io
import random
import re
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms
from sqlalchemy import select

from bot import db, media
from bot.db import Database
from bot.errors import Invalid, NotFound
from bot.model import Capabilities, Media
from tests.builders import NOW

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
PLACE = b"GPS-Yunlan-30.1657N"


@pytest.fixture
def url(sqlite: str) -> str:
    """Pictures are the same to either database."""
    return sqlite


@pytest.fixture
def store(tmp_path: Path) -> media.Store:
    return media.Store(tmp_path / "media")


@pytest.fixture
def take(database: Database, store: media.Store) -> Any:
    def took(content: bytes, name: str = "图.jpg", alt: str = "") -> Media:
        with database.write() as conn:
            return media.take_picture(store, conn, NOW, content, name, alt)

    return took


def picture(kind: str, size: tuple[int, int] = (64, 48), **more: Any) -> bytes:
    """Red on its left half, blue on its right."""
    drawn = Image.new("RGB", size, "blue")
    drawn.paste("red", (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    drawn.save(out, kind, **more)
    return out.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = orientation
    made[0x010E] = PLACE.decode()
    made.get_ifd(0x8825).update({1: "N", 2: (30.0, 16.0, 57.0), 3: "E", 4: (118.0, 2.0, 0.0)})
    return made


def opened(store: media.Store, taken: Media) -> Image.Image:
    made = Image.open(io.BytesIO(store.read(taken.sha256)))
    made.load()
    return made


# ---------------------------------------------------------------- taking in


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_is_kept_under_its_own_digest(
    take: Any, store: media.Store, database: Database, kind: str
) -> None:
    taken = take(picture(kind), "街景.jpg", "一条街")
    content = store.read(taken.sha256)
    assert taken.sha256 == hashlib.sha256(content).hexdigest()
    assert (taken.kind, taken.size) == (media.KINDS[kind], len(content))
    assert (taken.width, taken.height, taken.alt) == (64, 48, "一条街")
    assert opened(store, taken).format == kind
    with database.read() as conn:
        row = conn.execute(select(db.media)).mappings().one()
    assert (row["sha256"], row["name"], row["width"]) == (taken.sha256, "街景.jpg", 64)


def test_the_same_picture_twice_is_one(take: Any, database: Database) -> None:
    assert take(picture("PNG")) == take(picture("PNG"))
    with database.read() as conn:
        assert len(conn.execute(select(db.media)).all()) == 1


def test_taking_in_what_was_taken_changes_it_no_more(take: Any, store: media.Store) -> None:
    taken = take(picture("PNG", exif=exif()))
    assert take(store.read(taken.sha256)) == taken


# ---------------------------------------------------------------- what is left out


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("JPEG", {"exif": exif(), "comment": PLACE, "xmp": PLACE}),
        ("PNG", {"exif": exif()}),
        ("WEBP", {"exif": exif(), "xmp": PLACE}),
        ("GIF", {"comment": PLACE}),
    ],
)
def test_no_place_and_no_words_stay_in_it(
    take: Any, store: media.Store, kind: str, more: dict[str, Any]
) -> None:
    content = picture(kind, **more)
    assert PLACE in content
    taken = take(content)
    assert PLACE not in store.read(taken.sha256)
    assert not dict(opened(store, taken).getexif())


def test_words_in_a_png_are_left_out(take: Any, store: media.Store) -> None:
    from PIL.PngImagePlugin import PngInfo

    words = PngInfo()
    words.add_text("Location", PLACE.decode())
    words.add_itxt("XML:com.adobe.xmp", PLACE.decode())
    assert PLACE not in store.read(take(picture("PNG", pnginfo=words)).sha256)


def test_a_picture_taken_sideways_stands_upright(take: Any, store: media.Store) -> None:
    taken = take(picture("JPEG", exif=exif(6)))
    assert (taken.width, taken.height) == (48, 64)
    red, _, blue = opened(store, taken).convert("RGB").getpixel((24, 4))  # type: ignore[misc]
    assert red > 200 > 50 > blue


def test_its_colours_stay_true(take: Any, store: media.Store) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG", "WEBP"):
        taken = take(picture(kind, icc_profile=profile))
        assert opened(store, taken).info["icc_profile"] == profile


def test_print_colours_and_sixteen_bits_become_a_screen_s(take: Any, store: media.Store) -> None:
    """A browser or a platform may show either wrongly: a poster in false colours, a scan as white."""
    out = io.BytesIO()
    Image.new("CMYK", (32, 24), (0, 255, 255, 0)).save(out, "JPEG", quality=95)
    made = opened(store, take(out.getvalue()))
    red, green, blue = made.getpixel((16, 12))  # type: ignore[misc]
    assert (made.mode, red > 200, green < 60, blue < 60) == ("RGB", True, True, True)
    out = io.BytesIO()
    Image.new("I", (32, 24), 128 * 256).convert("I;16").save(out, "PNG")
    taken = take(out.getvalue())
    assert opened(store, taken).getpixel((16, 12)) == 128
    able = Capabilities(media_kinds=("image/jpeg",), media_side=16)
    assert opened(store, media.fitted(store, taken, able)).convert("L").getpixel((8, 6)) == 128


def test_a_jpeg_of_more_pixels_than_are_taken_is_read_smaller(
    take: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A phone's 108 megapixels, a panorama."""
    monkeypatch.setattr(media, "MAX_PIXELS", 300_000)
    taken = take(picture("JPEG", (2000, 500), exif=exif(6)))
    assert (taken.width, taken.height) == (250, 1000)
    with pytest.raises(Invalid, match="2000×500 像素，太大：请缩小到 30 万像素以内"):
        take(picture("PNG", (2000, 500)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"\0\0\0\x18ftypheic" + b"\0" * 99,
            "是 HEIC（苹果等手机的格式），各平台不收：请在手机上导出",
        ),
        (b"\0\0\0\x18ftypavif" + b"\0" * 99, "是 AVIF 格式，各平台不收：请另存为 JPEG 或 PNG"),
        (picture("BMP"), "是 BMP 格式"),
        (picture("TIFF"), "是 TIFF 格式"),
    ],
)
def test_a_format_that_platforms_do_not_take_is_named_with_what_to_do(
    take: Any, content: bytes, said: str
) -> None:
    with pytest.raises(Invalid, match=re.escape(said)):
        take(content, "照片.jpg")


def test_transparency_stays(take: Any, store: media.Store) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(out, "PNG")
    assert opened(store, take(out.getvalue())).getpixel((0, 0)) == (255, 0, 0, 0)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_stays_one(take: Any, store: media.Store, kind: str) -> None:
    colours = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    out = io.BytesIO()
    colours[0].save(out, kind, save_all=True, append_images=colours[1:], duration=80, loop=0)
    made = opened(store, take(out.getvalue()))
    assert getattr(made, "n_frames", 1) == 3
    assert made.info["duration"] == 80


def test_a_phones_picture_of_two_is_its_first(take: Any, store: media.Store) -> None:
    out = io.BytesIO()
    other = Image.new("RGB", (64, 48))
    Image.new("RGB", (64, 48), "red").save(out, "MPO", save_all=True, append_images=[other])
    taken = take(out.getvalue())
    assert taken.kind == "image/jpeg"
    assert opened(store, taken).format == "JPEG"


@pytest.mark.parametrize("kind", FORMATS)
def test_what_hangs_behind_a_picture_is_cut_off(take: Any, store: media.Store, kind: str) -> None:
    """A file that is a picture and an archive or a page at once."""
    for tail in (b"PK\x03\x04 archive", b"<script>alert(1)</script>"):
        taken = take(picture(kind) + tail)
        assert tail not in store.read(taken.sha256)


# ---------------------------------------------------------------- what is refused


def chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def bomb(width: int, height: int) -> bytes:
    """A few bytes that say they are a picture of so many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100_000)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def words_bomb() -> bytes:
    """A small picture with a text that unpacks to 100 MB."""
    text = b"zTXtBig\0\0" + zlib.compress(b"\0" * 100_000_000, 9)
    content = picture("PNG")
    return content[:33] + chunk(text[:4], text[4:]) + content[33:]


def many_frames() -> bytes:
    frames = [Image.new("1", (2000, 2000), n % 2) for n in range(14)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return out.getvalue()


REFUSED = {
    "nothing": b"",
    "text": "这不是图片".encode(),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "svg with a preamble": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "html": b"<!doctype html><script>alert(1)</script>",
    "pdf": b"%PDF-1.7\n",
    "bmp": picture("BMP"),
    "tiff": picture("TIFF"),
    "a header only": picture("PNG")[:33],
    "60 million pixels": bomb(10_000, 6_000),
    "120 million pixels": bomb(12_000, 10_000),
    "a billion pixels": bomb(32_000, 32_000),
    "a text that unpacks to 100 MB": words_bomb(),
    "too many frames": many_frames(),
    "too many bytes": picture("JPEG") + b"\0" * media.MAX_BYTES,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_or_too_much_of_one_is_refused(
    take: Any, store: media.Store, database: Database, name: str
) -> None:
    with pytest.raises(Invalid, match="附件") as refused:
        take(REFUSED[name], "附件")
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    assert not store.root.exists()
    with database.read() as conn:
        assert conn.execute(select(db.media)).first() is None


@pytest.mark.parametrize("kind", FORMATS)
def test_a_torn_picture_is_refused(take: Any, kind: str) -> None:
    content = picture(kind, (400, 300))
    for part in (0.2, 0.5, 0.9):
        with pytest.raises(Invalid):
            take(content[: int(len(content) * part)])


def test_whatever_bytes_are_damaged_only_a_refusal_comes_of_it(take: Any) -> None:
    chance = random.Random(20261124)
    originals = [picture("GIF"), *(picture(k, exif=exif()) for k in ("JPEG", "PNG", "WEBP"))]
    for turn in range(400):
        damaged = bytearray(originals[turn % len(originals)])
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            taken = take(bytes(damaged))
        except Invalid:
            continue
        assert taken.width > 0


# ---------------------------------------------------------------- as a platform takes it

EVERY = tuple(media.KINDS.values())


def noise(size: tuple[int, int], mode: str = "RGB") -> bytes:
    """A picture that does not compress."""
    band = len(mode)
    drawn = Image.frombytes(mode, size, random.Random(1).randbytes(size[0] * size[1] * band))
    out = io.BytesIO()
    drawn.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("able", "kind", "size"),
    [
        ({}, "image/png", (800, 600)),
        ({"media_side": 400}, "image/png", (400, 300)),
        ({"media_pixels": 120_000}, "image/png", (400, 300)),
        ({"media_kinds": ("image/jpeg",)}, "image/jpeg", (800, 600)),
        ({"media_kinds": ("image/jpeg",), "media_side": 400}, "image/jpeg", (400, 300)),
        ({"media_ratio": 1}, "image/png", (600, 600)),
        ({"media_bytes": 300_000}, "image/jpeg", (800, 600)),
    ],
)
def test_a_picture_is_made_to_fit_a_platform(
    take: Any, store: media.Store, able: dict[str, Any], kind: str, size: tuple[int, int]
) -> None:
    taken = take(noise((800, 600)), alt="替代")
    asked = Capabilities(**({"media_kinds": EVERY} | able))
    made = media.fitted(store, taken, asked)
    assert (made.kind, (made.width, made.height), made.alt) == (kind, size, "替代")
    assert media.Limits.of(asked).hold(made)
    content = store.read(made.sha256)
    assert (opened(store, made).size, len(content)) == (size, made.size)
    assert (made == taken) is (able == {})
    media._refitted.cache_clear()
    assert media.fitted(store, taken, asked) == made, "the same again: what was signed can be found"


def test_a_picture_over_the_bytes_is_compressed_and_then_made_smaller(
    take: Any, store: media.Store
) -> None:
    taken = take(noise((800, 600)))
    for limit in (200_000, 100_000, 50_000):
        made = media.fitted(store, taken, Capabilities(media_kinds=EVERY, media_bytes=limit))
        assert made.size <= limit
    assert 320 <= made.width < 800
    assert made.width / made.height == pytest.approx(800 / 600, abs=0.02)


def test_a_tall_picture_keeps_its_top_and_a_wide_one_its_middle(
    take: Any, store: media.Store
) -> None:
    drawn = Image.new("RGB", (100, 900), "blue")
    drawn.paste("red", (0, 0, 100, 300))
    for turned in (drawn, drawn.rotate(90, expand=True)):
        out = io.BytesIO()
        turned.save(out, "PNG")
        able = Capabilities(media_kinds=EVERY, media_ratio=3)
        made = media.fitted(store, take(out.getvalue()), able)
        assert sorted((made.width, made.height)) == [100, 300]
        colours = opened(store, made).convert("RGB").getcolors()
        assert colours == [(30_000, (255, 0, 0) if turned is drawn else (0, 0, 255))]


def test_what_shows_through_is_white_in_a_form_without_transparency(
    take: Any, store: media.Store
) -> None:
    for mode in ("RGBA", "P", "LA"):
        out = io.BytesIO()
        Image.new("RGBA", (400, 400), (0, 0, 0, 0)).convert(mode).save(out, "PNG")
        made = media.fitted(store, take(out.getvalue()), Capabilities(media_kinds=("image/jpeg",)))
        assert made.kind == "image/jpeg"
        if mode == "RGBA":
            assert opened(store, made).getpixel((9, 9)) == (255, 255, 255)


def test_what_moves_or_cannot_be_fitted_stays_as_it_is_for_a_person_to_see(
    take: Any, store: media.Store
) -> None:
    frames = [Image.new("RGB", (400, 300), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    moves, still = take(out.getvalue()), take(noise((800, 600)))
    lost = Media("0" * 64, "image/png", 9, 800, 600)
    able = Capabilities(media_kinds=EVERY, media_side=100, media_bytes=1000)
    for one in (moves, still, lost):
        assert media.fitted(store, one, able) == one
    assert media.fitted(store, still, Capabilities(media_kinds=("video/mp4",))) == still


# ---------------------------------------------------------------- signed sheets


def test_a_signed_sheet_is_kept_as_it_is(database: Database, store: media.Store) -> None:
    with database.write() as conn:
        sheet = media.take_sheet(store, conn, NOW, b"%PDF-1.7 signed", "签批单.pdf")
        assert store.read(sheet) == b"%PDF-1.7 signed"
        photo = media.take_sheet(store, conn, NOW, picture("JPEG", exif=exif()), "签批单.jpg")
        assert PLACE not in store.read(photo)
        for bad in (b"signed", b"%PDF-" + b"x" * media.MAX_BYTES):
            with pytest.raises(Invalid, match="签批单"):
                media.take_sheet(store, conn, NOW, bad, "签批单")


# ---------------------------------------------------------------- the folder


def test_a_damaged_file_is_never_read_and_is_mended_by_its_like(store: media.Store) -> None:
    sha256 = store.write(b"picture")
    store.path(sha256).write_bytes(b"pictura")
    with pytest.raises(Invalid, match="已损坏"):
        store.read(sha256)
    assert store.write(b"picture") == sha256
    assert store.read(sha256) == b"picture"


def test_what_is_not_there_is_not_found(store: media.Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    for name in ("0" * 64, "../secret", "/etc/passwd", "/dev/zero", "", "0" * 63 + "\n"):
        with pytest.raises(NotFound):
            store.read(name)


def test_many_may_keep_the_same_at_once(store: media.Store) -> None:
    contents = [bytes([n]) * 200_000 for n in range(4)]

    def keep(n: int) -> bytes:
        return store.read(store.write(contents[n % 4]))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(keep, range(80))) == contents * 20
    assert sum(file.is_file() for file in store.root.rglob("*")) == 4
