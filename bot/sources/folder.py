"""A folder into which files are dropped: one file, one entry.

Word documents (.docx) and texts (.txt) are read as 公文 (document.py); of any other file the name is
the title and the file itself the attachment. A subfolder is the column. A file that is still being
written (an unfinished download, one that changes while we look or holds bytes yet to come, one that
somebody has open to edit) is left for the next reading. One that cannot be read is a problem under its name; the others are taken, and nothing
counts as gone until all can be read again. What is missing from two whole readings is gone; of a
folder that is empty nothing is said: the share may not be mounted.
"""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import Field

from bot.errors import SourceError, reason_of
from bot.language import Say
from bot.model import Attachment, Problem, Reading, digest_of
from bot.sources.base import Options, Origin, Source
from bot.sources.decode import decode
from bot.sources.document import Line, elements
from bot.sources.draft import Channel, Draft, reading_of
from bot.sources.packed import DOCUMENT, holds, is_old
from bot.sources.plain import words
from bot.sources.word import read_word

FILES = 2_000  # in the folder and below it
DEPTH = 3  # folders in folders
YOUNG = 10  # seconds since its last change, within which a file may still be growing
_UNFINISHED = (
    ".part",
    ".partial",
    ".crdownload",
    ".download",
    ".tmp",
    ".temp",
    ".filepart",
    ".lnk",
)
_NO_ENTRY = {"thumbs.db", "desktop.ini"}


class FolderOptions(Options):
    address: str = ""  # where the public finds the folder, if it does: https://…/files/
    settle: float = Field(10, ge=0, le=30)  # seconds to see whether a young file still changes
    max_bytes: int = 50_000_000  # of a document; other files are not opened


@dataclass(frozen=True)
class _File:
    path: Path
    name: str  # within the folder, with / between
    size: int
    changed: int  # nanoseconds
    lock: str = ""  # the file by which an editor says that somebody has it open

    @property
    def stamp(self) -> tuple[str, int, int, str]:
        return self.name, self.size, self.changed, self.lock


class Folder(Source):
    """Files on a disk of the office's, or on a share mounted there."""

    kind: ClassVar[str] = "folder"
    options_model: ClassVar[type[Options]] = FolderOptions
    options: FolderOptions

    async def read(self, origin: Origin) -> Reading:
        before = await asyncio.to_thread(_files, Path(origin.url))
        if any(time.time_ns() - file.changed < YOUNG * 1_000_000_000 for file in before):
            await asyncio.sleep(self.options.settle)
        return await asyncio.to_thread(self._taken, before, origin)

    def _taken(self, before: list[_File], origin: Origin) -> Reading:
        files = _files(Path(origin.url))
        steady = {file.stamp for file in before}
        whole = all(file.stamp in steady for file in files)
        etag = digest_of([list(file.stamp) for file in files]) if whole else ""
        if whole and etag == origin.etag and not origin.memo.get("missing"):
            return Reading(unchanged=True, etag=etag, memo=origin.memo)
        drafts, problems = self._drafts(files, steady)
        whole = not problems
        held = origin.memo.get("originals", {})
        first = _originals(drafts, [file.name for file in files], held)
        copies = {n: of for n, draft in drafts.items() if (of := first[draft.raw.hex()]) != n}
        problems += [Problem(n, str(Say(_COPY.text, name=of))) for n, of in copies.items()]
        taken = tuple(draft for name, draft in drafts.items() if name not in copies)
        channel = Channel(taken, problems=tuple(problems))
        reading = reading_of(channel, replace(origin, url=self.options.address))
        gone, known = _away(origin.memo, reading, files, whole=whole)
        memo = {**reading.memo, "originals": first, **known}
        return replace(reading, etag=etag, whole=whole, memo=memo, gone=gone)

    def _drafts(
        self, files: Sequence[_File], steady: Collection[tuple[str, int, int, str]]
    ) -> tuple[dict[str, Draft], list[Problem]]:
        """What can be read, by name, and what cannot."""
        drafts: dict[str, Draft] = {}
        problems: list[Problem] = []
        for file in files:
            try:
                if file.stamp not in steady:
                    raise SourceError("还在变动，下次再读")
                if file.lock:
                    raise SourceError(
                        "有人正打开着编辑，关闭后再读；没有人开着的，请删去 {lock}", lock=file.lock
                    )
                drafts[file.name] = self._draft(file)
            except SourceError as error:
                problems.append(Problem(file.name, str(error), error.secret))
        return drafts, problems

    def parse(self, body: bytes, content_type: str, origin: Origin) -> Reading:
        """One document by itself."""
        name = Path(origin.url).name or "document"
        return reading_of(Channel((self._read(name, body),)), replace(origin, url=""))

    @classmethod
    def recognises(cls, body: bytes, content_type: str) -> bool:
        return holds(body, DOCUMENT)

    # -------------------------------------------------------------- a file

    def _draft(self, file: _File) -> Draft:
        link = f"{self.options.address.rstrip('/')}/{quote(file.name)}"
        link = link if self.options.address else ""
        if file.path.suffix.lower() in (".docx", ".txt"):
            if file.size > self.options.max_bytes:
                raise SourceError("文件超过 {n} 字节，不予读取", n=self.options.max_bytes)
            draft = self._read(file.name, _bytes(file))
        else:
            draft = _bare(file, link)
        column = file.name.rpartition("/")[0]
        return replace(draft, column=column, links=(link,) if link else ())

    def _read(self, name: str, body: bytes) -> Draft:
        if holds(body, DOCUMENT) or is_old(body) or name.lower().endswith(".docx"):
            lines, odd = read_word(body)
        else:
            lines, odd = _text(body)
        found = elements(lines, words(Path(name).stem))
        return Draft(
            title=found.title,
            ids=(name,),
            formed=(found.formed,),
            publisher=found.publisher,
            document_number=found.number,
            body=_escaped(found.body),
            attachments=tuple(Attachment("", one) for one in found.attachments),
            raw=hashlib.sha256(body).digest(),
            notes=(*odd, *found.notes),
            place=Say("{file}", file=name),
        )


_CLOSED = {  # what is not opened, and what to do
    (".doc", ".wps"): Say("旧格式的文档读不出正文；请另存为 .docx"),
    (".pdf", ".ofd"): Say("版式文件不读正文，只作附件；正文请另放 .docx"),
    (".csv", ".xls", ".xlsx", ".et"): Say('表格只作附件；要逐行读请另设 kind = "table" 的来源'),
}


def _bare(file: _File, link: str) -> Draft:
    """A file that is not opened: its name says what it is."""
    suffix = file.path.suffix.lower()
    notes = tuple(why for kinds, why in _CLOSED.items() if suffix in kinds)
    kind = mimetypes.guess_type(file.path.name)[0] or ""
    return Draft(
        title=words(file.path.stem),
        ids=(file.name,),
        attachments=(Attachment(link, file.path.name, kind, file.size),),
        raw=repr(file.stamp).encode(),
        notes=notes,
        place=Say("{file}", file=file.name),
    )


_COPY = Say("与“{name}”内容相同，或是它改动前的样子，没有读")


def _originals(
    drafts: Mapping[str, Draft], there: Collection[str], known: Mapping[str, str]
) -> dict[str, str]:
    """By what a file holds, the one that is taken for it: the one that held it before as long as it is
    there, edited since or not, else the one with the shortest name: copies are named after theirs."""
    alike: dict[str, list[str]] = {}
    for name, draft in drafts.items():
        alike.setdefault(draft.raw.hex(), []).append(name)
    return {
        held: known[held] if known.get(held) in there else min(names, key=lambda n: (len(n), n))
        for held, names in alike.items()
    }


def _away(
    memo: Mapping[str, Any], reading: Reading, files: Sequence[_File], *, whole: bool
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The keys missing for the second time, and what the next reading must know of it."""
    known = {name: memo.get(name, []) for name in ("keys", "missing")}
    if not (whole and files):
        return (), known
    here = {entry.key for entry in reading.entries}
    missing = {*known["keys"], *known["missing"]} - here - {file.name for file in files}
    gone = missing & {*known["missing"]}
    return tuple(sorted(gone)), {"keys": sorted(here), "missing": sorted(missing - gone)}


def _text(body: bytes) -> tuple[list[Line], tuple[Say, ...]]:
    if b"\0\0\0\0" in body:  # in no encoding text: room that was made, and not all of it came yet
        raise SourceError("还没有写完，下次再读")
    decoded = decode(body)
    if not decoded.text.strip():
        raise SourceError("文件是空的，或者还没有写完")
    spoiled = (Say("有的字节读不懂，以 � 代替"),) if "\ufffd" in decoded.text else ()
    return [Line(line.strip()) for line in decoded.text.splitlines()], spoiled


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _bytes(file: _File) -> bytes:
    try:
        return file.path.read_bytes()
    except OSError as error:
        raise SourceError("读不了文件：{why}", why=reason_of(error)) from error


# ---------------------------------------------------------------- the folder


def _files(folder: Path) -> list[_File]:
    """The files that may be entries, by name; links are not followed. Raises SourceError."""
    try:
        found = list(islice(_within(folder, folder, DEPTH), FILES + 1))
    except FileNotFoundError as error:
        raise SourceError("没有文件夹 {path}", gone=True, path=str(folder)) from error
    except OSError as error:
        why = reason_of(error)
        raise SourceError("读不了文件夹 {path}：{why}", path=str(folder), why=why) from error
    if len(found) > FILES:
        raise SourceError("文件夹里超过 {n} 个文件，不予读取", n=FILES)
    return sorted(found, key=lambda file: file.name)


def _within(folder: Path, top: Path, depth: int) -> Iterator[_File]:
    with os.scandir(folder) as there:
        found = list(there)
    names = {one.name for one in found}
    for one in found:
        path = Path(one.path)
        if one.is_dir(follow_symlinks=False) and depth and not one.name.startswith("."):
            yield from _within(path, top, depth - 1)
        elif one.is_file(follow_symlinks=False) and not _passed_over(one.name):
            stat = one.stat(follow_symlinks=False)
            name = path.relative_to(top).as_posix()
            lock = next((each for each in _locks(one.name) if each in names), "")
            yield _File(path, name, stat.st_size, stat.st_mtime_ns, lock)


def _locks(name: str) -> tuple[str, ...]:
    """What Word (which drops letters of a long name), WPS and LibreOffice put beside a file they have open."""
    return f"~${name}", f"~${name[1:]}", f"~${name[2:]}", f".~{name}", f".~lock.{name}#"


def _passed_over(name: str) -> bool:
    low = name.lower()
    return name.startswith(("~$", ".", "~WRL")) or low.endswith(_UNFINISHED) or low in _NO_ENTRY
