"""长图: a text as a picture, for platforms where the text itself has no room.

The same card, look and font give the same bytes: what was signed can be drawn again and compared.
Pillow is imported when the first one is drawn.
"""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bot.compose.body import Card
from bot.compose.lines import lines
from bot.errors import ConfigError, Invalid
from bot.office import Office

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont

INK, GREY, RULE, PAPER = "#1f2328", "#646a73", "#d8dce2", "#ffffff"
TALLEST = 16_000  # pixels: some five thousand characters
LABEL = 0.05  # of the shorter side, at least (GB 45438-2025, for pictures)

# By preference; the first that the system has. The number is the face in a collection.
FONTS = (
    ("NotoSansCJK-Regular.ttc", 2),
    ("NotoSansSC-Regular", 0),
    ("NotoSansCJKsc-Regular.otf", 0),
    ("SourceHanSansSC-Regular.otf", 0),
    ("SourceHanSansCN-Regular.otf", 0),
    ("wqy-microhei.ttc", 0),
    ("wqy-zenhei.ttc", 0),
    ("PingFang.ttc", 0),
    ("msyh.ttc", 0),
    ("DroidSansFallbackFull.ttf", 0),
    ("simhei.ttf", 0),
)
FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/System/Library/Fonts",
    "C:/Windows/Fonts",
)


@dataclass(frozen=True)
class Look:
    """How cards look: the office's choices, resolved."""

    font: str
    face: int
    colour: str
    logo: str
    width: int


def drawn(office: Office, card: Card, label: str = "") -> tuple[bytes, int, int]:
    """The picture (PNG), its width and height. Raises ConfigError, Invalid when it is too long."""
    return _drawn(_look(office), card, label)


def missing(office: Office, card: Card) -> str:
    """The characters on the card that the font lacks, rare ones in names say: they would be boxes."""
    look = _look(office)
    on_it = card.publisher + card.title + card.text
    return "".join(c for c in dict.fromkeys(on_it) if _lacks(look.font, look.face, c))


@lru_cache(maxsize=10_000)
def _lacks(file: str, face: int, character: str) -> bool:
    if character.isspace() or character < "\x7f":
        return False
    font = _font(file, face, 24)
    return bytes(font.getmask(character)) == bytes(font.getmask("\uffff"))


def _look(office: Office) -> Look:
    part = office.config.compose.card
    font, face = _system_font()
    if part.font:
        font, face = str(office.config.place(part.font)), 0
    if not font:
        raise ConfigError(
            "没有找到中文字体，画不了长图：请安装 fonts-noto-cjk，或在 [compose.card] font 写明字体文件"
        )
    logo = str(office.config.place(part.logo)) if part.logo else ""
    return Look(font, face, part.colour, logo, part.width)


@lru_cache
def _system_font() -> tuple[str, int]:
    """The best Chinese font of the system and its face; ("", 0) where there is none."""
    there = {path.rpartition("/")[2]: path for path in _font_files()}
    for name, face in FONTS:
        for file in sorted(there):
            if file.startswith(name):
                return there[file], face
    return "", 0


def _font_files() -> Iterator[str]:
    """What fontconfig knows, and what lies in the usual folders."""
    try:
        asked = ["fc-list", "-f", "%{file}\\n", ":lang=zh-cn"]
        listed = subprocess.run(asked, capture_output=True, timeout=10, check=True)  # noqa: S603
        yield from listed.stdout.decode(errors="replace").splitlines()
    except (OSError, subprocess.SubprocessError):
        pass  # not there, or broken: the folders are looked through all the same
    for folder in map(os.path.expanduser, FOLDERS):
        for place, _, files in os.walk(folder):
            yield from (f"{place}/{file}" for file in files)


# ---------------------------------------------------------------- drawing


@dataclass(frozen=True)
class Hand:
    """How a block is written. Sizes are in units: 36 pixels on a card 1,080 wide."""

    size: float
    colour: str
    leading: float
    heavy: int = 0


TITLE, BODY, FOOT = Hand(1.6, INK, 1.4, 1), Hand(1, INK, 1.7), Hand(0.8, GREY, 1.5)


@dataclass(frozen=True)
class Line:
    """One line of the card, and where it stands."""

    text: str
    left: float
    top: float
    font: FreeTypeFont
    hand: Hand


@lru_cache(maxsize=8)
def _drawn(look: Look, card: Card, label: str) -> tuple[bytes, int, int]:
    from PIL import Image, ImageDraw

    placed, rules, height = _laid_out(look, card, label)
    if height > TALLEST:
        raise Invalid("长图放不下这么长的文字（{n} 字），请删减或不用长图", n=len(card.text))
    picture = Image.new("RGB", (look.width, height), PAPER)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, look.width, _unit(look) // 2), fill=look.colour)
    for line in placed:
        hand: dict[str, Any] = {"fill": line.hand.colour, "stroke_width": line.hand.heavy}
        pen.text((line.left, line.top), line.text, font=line.font, **hand)
    for y in rules:
        pen.line((_margin(look), y, look.width - _margin(look), y), fill=RULE, width=2)
    if look.logo:
        _stamp(picture, look)
    else:  # ink on paper: few shades, a third of the bytes
        picture = picture.quantize(64, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue(), look.width, height


def _unit(look: Look) -> int:
    return look.width // 30


def _margin(look: Look) -> int:
    return 2 * _unit(look)


def _laid_out(look: Look, card: Card, label: str) -> tuple[list[Line], list[float], int]:
    """Every line with its place, the rules between, and the height of all."""
    unit = _unit(look)
    placed: list[Line] = []
    beside = 1.6 * unit if look.logo else 0
    at = _block(placed, look, card.publisher, 2.0 * unit, Hand(1, look.colour, 1.6), beside)
    at = _block(placed, look, card.title, at, TITLE)
    rules = [at + 0.6 * unit]
    at += 1.4 * unit
    for paragraph in card.text.split("\n"):
        blank = not paragraph.strip()
        at = at + 0.8 * unit if blank else _block(placed, look, paragraph.rstrip(), at, BODY)
    rules.append(at + 0.6 * unit)
    at += 1.2 * unit
    for words in (card.day, card.source):
        at = _block(placed, look, words, at, FOOT)
    at += 0.4 * unit if label else 0
    at = _block(placed, look, label, at, Hand(LABEL * 30 + 0.1, GREY, 1.4))
    return placed, rules, int(at + unit)


def _block(
    placed: list[Line], look: Look, words: str, at: float, hand: Hand, inset: float = 0
) -> float:
    """A paragraph from `at` down, nothing where it is empty; give where it ends."""
    size = round(hand.size * _unit(look))
    font = _font(look.font, look.face, size)
    left = _margin(look) + inset
    for text in lines(words, look.width - _margin(look) - left, font.getlength) if words else ():
        placed.append(Line(text, left, at, font, hand))
        at += size * hand.leading
    return at


def _stamp(picture: Picture, look: Look) -> None:
    """The logo, left of the publisher."""
    from PIL import Image

    side = round(1.3 * _unit(look))
    try:
        with Image.open(look.logo) as logo:
            small = logo.convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)
    except Exception:  # a decoder that is fed anything may raise anything
        raise ConfigError("[compose.card] logo：{file} 不是能读的图片", file=look.logo) from None
    picture.paste(small, (_margin(look), 2 * _unit(look)), small)


@lru_cache
def _font(file: str, face: int, size: int) -> FreeTypeFont:
    """Laid out plainly, so that it does not matter which shaping library the system has."""
    from PIL import ImageFont

    try:
        return ImageFont.truetype(file, size, face, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        raise ConfigError("[compose.card] font：{file} 不是能用的字体", file=file) from None
