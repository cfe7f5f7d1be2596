"""The file of a backup: a tar, gzipped unless it is named .tar.

    media/<sha256>        pictures and signed sheets that the media table names
    tables/<name>.jsonl   a row a line, canonical JSON, by primary key; instants as UTC microseconds
    config.toml, templates/<file>, schedules/<file>, words/<file>
    manifest.json         when and of what it was taken, and the digest of every other member

The manifest stands last: a torn file has none. One format for both databases.
"""

from __future__ import annotations

import fcntl
import glob
import gzip
import hashlib
import io
import os
import re
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.config import Config
from bot.errors import Invalid
from bot.language import Say

FORMAT = 1
SUFFIXES = (".tar.gz", ".tgz", ".tar")
MANIFEST, CONFIG = "manifest.json", "config.toml"
MANIFEST_BYTES = 256 * 1024 * 1024
_NAMES = re.compile(
    r"manifest\.json|config\.toml|tables/[a-z_]+\.jsonl|media/[0-9a-f]{64}"
    r"|(templates|schedules|words)/(?!\.)[^/\\\x00-\x1f\ud800-\udfff]+"
)
_CHUNK = 1 << 18


def nameable(name: str) -> bool:
    """May a member be called this? No folders but ours, no way out of them, no broken coding."""
    return _NAMES.fullmatch(name) is not None


def word_files(config: Config) -> dict[str, Path]:
    """The word lists and the leaders, by their names as members."""
    declared = (*config.screening.lists, config.screening.leaders)
    named = ((n, config.place(name)) for n, name in enumerate(declared) if name)
    return {f"words/{n}-{file.name}": file for n, file in named}


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Member(Part):
    sha256: str
    size: int


class Head(Part):
    """How far the trail was sealed."""

    number: int
    digest: str


class Manifest(Part):
    format: int
    revision: str  # of the schema
    taken: datetime
    head: Head
    rows: dict[str, int]  # table → how many
    missing: tuple[str, ...] = ()  # media whose file was not there, or damaged
    members: dict[str, Member]


@dataclass(frozen=True)
class Summary:
    """What was saved, found or restored; `said` are the sentences for people, the first of it all.

    `digest` is the manifest's SHA-256: two files with the same one hold the same.
    """

    path: Path
    manifest: Manifest
    digest: str
    said: tuple[Say, ...]

    def __str__(self) -> str:
        return "\n".join(str(say) for say in self.said)

    def json(self) -> dict[str, Any]:
        taken = self.manifest.model_dump(mode="json", exclude={"members"})
        media = sum(name.startswith("media/") for name in self.manifest.members)
        said = [str(say) for say in self.said]
        return {
            "path": str(self.path),
            "digest": self.digest,
            **taken,
            "media": media,
            "said": said,
        }


# ---------------------------------------------------------------- writing


class Writer:
    """Members in the order they are added; each one's digest is kept for the manifest."""

    def __init__(self, tar: tarfile.TarFile, scratch: Path) -> None:
        self._tar, self._scratch = tar, scratch
        self.members: dict[str, Member] = {}

    def add(self, name: str, content: bytes) -> str:
        """One member from memory; give its SHA-256."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._add(name, io.BytesIO(content), len(content), sha256)
        return sha256

    def add_lines(self, name: str, lines: Iterable[bytes]) -> int:
        """One member, by way of a nameless file: a tar tells each size first. Give the lines."""
        digest, count = hashlib.sha256(), 0
        with tempfile.TemporaryFile(dir=self._scratch) as spool:
            for line in lines:
                digest.update(line)
                spool.write(line)
                count += 1
            size = spool.tell()
            spool.seek(0)
            self._add(name, spool, size, digest.hexdigest())
        return count

    def _add(self, name: str, content: IO[bytes], size: int, sha256: str) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        self._tar.addfile(info, content)
        self.members[name] = Member(sha256=sha256, size=size)


@contextmanager
def writing(target: Path) -> Iterator[Writer]:
    """A new archive at `target`: whole, and readable by its owner only, or not there at all.

    Raises Invalid for another name than an archive's, OSError.
    """
    if not target.name.endswith(SUFFIXES):
        raise Invalid("备份文件名须以 .tar.gz 或 .tar 结尾，不是 {name}", name=target.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    part = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed below, kept under another name
        dir=target.parent, prefix=f".{target.name}.", suffix=".part", delete=False
    )
    try:
        with part:
            fcntl.flock(part, fcntl.LOCK_EX)
            with _packing(part, plain=target.suffix == ".tar") as tar:
                yield Writer(tar, target.parent)
            part.flush()
            os.fsync(part.fileno())
            os.replace(part.name, target)
        _sync(target.parent)
    finally:
        Path(part.name).unlink(missing_ok=True)


def _sweep(target: Path) -> None:
    """Remove what a killed backup left behind: nobody holds its lock any more."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        with suppress(OSError), left.open("rb") as part:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


@contextmanager
def _packing(out: IO[bytes], *, plain: bool) -> Iterator[tarfile.TarFile]:
    if plain:
        with tarfile.open(fileobj=out, mode="w|") as tar:
            yield tar
    else:
        # Without a name: gzip would keep the passing one.
        packed = gzip.GzipFile("", "wb", 6, out)
        with packed, tarfile.open(fileobj=packed, mode="w|") as tar:
            yield tar


def _sync(folder: Path) -> None:
    """A rename survives a power cut only once its folder is on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---------------------------------------------------------------- reading

Use = Callable[[str, IO[bytes]], None]


def read(path: Path, use: Use) -> dict[str, Member]:
    """Hand every member, in order, to `use`; give what each was found to be.

    Nothing is written anywhere and no name is believed. Raises Invalid with place and reason.
    """
    found: dict[str, Member] = {}
    with ExitStack() as stack:
        with _damage(path, Say("开头")):
            source = stack.enter_context(_unpacking(path))
            tar = stack.enter_context(tarfile.open(fileobj=source, mode="r|"))
        for info in _entries(path, tar):
            if info.name in found:
                raise damaged(path, info.name, Say("重复"))
            found[info.name] = _read_one(path, tar, info, use)
        with _damage(path, Say("结尾")):
            _nothing_more(path, source)
    return found


def _unpacking(path: Path) -> BinaryIO:
    """Told by its first bytes, not its name."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")


def _entries(path: Path, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    before = ""
    while True:
        with _damage(path, Say("{name} 之后", name=before) if before else Say("开头")):
            info = tar.next()
        if info is None:
            return
        before = info.name
        if not nameable(info.name) or info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise damaged(path, repr(info.name), Say("备份里不该有的文件，没有读取"))
        yield info


def _read_one(path: Path, tar: tarfile.TarFile, info: tarfile.TarInfo, use: Use) -> Member:
    content = tar.extractfile(info)
    assert content is not None
    metered = _Metered(path, info.name, content)
    with io.BufferedReader(metered, _CHUNK) as stream:
        use(info.name, stream)
        while stream.read(_CHUNK):
            pass
    return Member(sha256=metered.digest.hexdigest(), size=metered.size)


class _Metered(io.RawIOBase):
    """A member's bytes, digested as they pass; damage is told with the member's name."""

    def __init__(self, path: Path, name: str, content: IO[bytes]) -> None:
        self._path, self._name, self._content = path, name, content
        self.digest, self.size = hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _damage(self._path, self._name):
            got = self._content.read(len(buffer))
        self.digest.update(got)
        self.size += len(got)
        buffer[: len(got)] = got
        return len(got)


def _nothing_more(path: Path, source: IO[bytes]) -> None:
    """Only zeros follow the end of a tar; reading them all makes gzip check its own sum."""
    while rest := source.read(_CHUNK):
        if rest.strip(b"\0"):
            raise damaged(path, Say("结尾"), Say("之后还有别的内容"))


@contextmanager
def _damage(path: Path, where: Say | str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise Invalid("没有备份文件 {file}", file=str(path)) from None
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise damaged(path, where, Say("读不下去：{why}", why=str(error))) from None


def damaged(path: Path, where: Say | str, why: Say) -> Invalid:
    return Invalid(
        "备份 {file} 不能用，{where}：{why}。换一份备份再试", file=path.name, where=where, why=why
    )


# ---------------------------------------------------------------- verifying


def verify_backup(path: Path) -> Summary:
    """Read a backup whole, hold digests and counts against its manifest. Raises Invalid."""
    manifest, digest = checked(path)
    said = Say(
        "{file} 完好：{taken} 的备份，{rows} 行，校验码 {digest}",
        file=path.name,
        taken=f"{manifest.taken:%Y-%m-%d %H:%M:%S}Z",
        rows=sum(manifest.rows.values()),
        digest=digest[:16],
    )
    return Summary(path, manifest, digest, (said,))


def checked(path: Path) -> tuple[Manifest, str]:
    """The manifest of a backup that was read whole and is right, and its SHA-256. Raises Invalid."""
    lines: Counter[str] = Counter()
    kept = b""

    def use(name: str, content: IO[bytes]) -> None:
        nonlocal kept
        if name == MANIFEST:
            kept = content.read(MANIFEST_BYTES)
        elif name.startswith("tables/"):
            lines[table_of(name)] = sum(1 for _ in content)

    found = read(path, use)
    last = next(reversed(found), "")
    if last != MANIFEST:
        where = Say("{name} 之后", name=last) if last else Say("开头")
        raise damaged(path, where, Say("没有清单 {name}，文件不全", name=MANIFEST))
    digest = found.pop(MANIFEST).sha256
    manifest = _manifest(path, kept)
    _same(path, manifest.members, found)
    _counted(path, manifest, lines)
    return manifest, digest


def table_of(name: str) -> str:
    """ "tables/posts.jsonl" → "posts"."""
    return name.removeprefix("tables/").removesuffix(".jsonl")


def _manifest(path: Path, content: bytes) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc']))} {first['msg']}"
        raise damaged(path, MANIFEST, Say("清单读不懂：{why}", why=why.strip())) from None
    if manifest.format != FORMAT:
        raise Invalid(
            "备份 {file} 的格式是 {n}，本程序只认识 {known}；请改用较新的程序",
            file=path.name,
            n=manifest.format,
            known=FORMAT,
        )
    return manifest


def _same(path: Path, wanted: Mapping[str, Member], found: Mapping[str, Member]) -> None:
    for name in wanted.keys() - found.keys():
        raise damaged(path, name, Say("清单里有，文件里没有"))
    for name, member in found.items():
        if name not in wanted:
            raise damaged(path, name, Say("文件里有，清单里没有"))
        if member != wanted[name]:
            raise damaged(path, name, Say("内容与清单里的校验码不符，被改动或损坏"))


def _counted(path: Path, manifest: Manifest, lines: Mapping[str, int]) -> None:
    for table in manifest.rows.keys() | lines.keys():
        told, there = manifest.rows.get(table), lines.get(table)
        if told != there:
            why = Say("清单记 {told} 行，实有 {there} 行", told=str(told), there=str(there))
            raise damaged(path, f"tables/{table}.jsonl", why)
    media = sum(name.startswith("media/") for name in manifest.members) + len(manifest.missing)
    if media != manifest.rows.get("media"):
        raise damaged(path, "media/", Say("素材的件数与清单不符"))
