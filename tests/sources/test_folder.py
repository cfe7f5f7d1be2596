"""Files in a folder become entries; official documents are read by their elements.

The contract suite asks for one document with many entries, fetched from an address: a folder has
neither, so what it promises beside the contract's identity and wholeness is tested here.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import threading
import time
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import parse_xml

from bot.errors import SourceError
from bot.model import Attachment, Entry, Reading
from bot.sources import packed
from bot.sources.base import Origin
from bot.sources.dates import read_date
from bot.sources.document import Line, elements
from bot.sources.folder import Folder, FolderOptions
from bot.sources.plain import plain
from bot.sources.reading import read as read_any
from tests.sources.contract import ZONE

NOTICE = [
    "000012",
    "特急",
    "^云澜县人民政府办公室文件",
    "云政办发〔2026〕12号　　　　签发人：顾明",
    "^云澜县人民政府办公室关于印发",
    "^《云澜县防汛应急预案（试行）》的通知",
    "各乡镇人民政府，县政府各部门：",
    "　　《云澜县防汛应急预案（试行）》已经县政府同意，现印发给你们，请认真执行。",
    "　　附件：1．云澜县防汛应急预案",
    "　　　　　2．值班电话表",
    ">云澜县人民政府办公室",
    ">2026年9月18日",
    "（此件公开发布）",
    "附件1",
    "^云澜县防汛应急预案",
    "第一条　为做好防汛工作，制定本预案。",
    "抄送：县委办公室，县人大常委会办公室。",
    "云澜县人民政府办公室　　　　　　　　2026年9月19日印发",
]


def word(lines: Sequence[str] = NOTICE, extra: Any = None) -> bytes:
    """A document of these lines; ^ before one is centred, > right."""
    made = docx.Document()
    for line in lines:
        paragraph = made.add_paragraph(line.lstrip("^>"))
        if line[0] in "^>":
            at = WD_ALIGN_PARAGRAPH.CENTER if line[0] == "^" else WD_ALIGN_PARAGRAPH.RIGHT
            paragraph.alignment = at
    if extra:
        extra(made)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def read(folder: Path, **more: Any) -> Reading:
    options = {name: more.pop(name) for name in ("address", "settle") if name in more}
    source = Folder(FolderOptions(**{"settle": 0.01, **options}))
    return asyncio.run(source.read(Origin(str(folder), ZONE, **more)))


def one(body: bytes) -> Entry:
    (entry,) = Folder(FolderOptions()).parse(body, "", Origin("notice.docx", ZONE)).entries
    return entry


def lined(*lines: str) -> Entry:
    return one(word(lines))


def told(reading: Reading) -> dict[str, str]:
    return {p.where: p.what for p in reading.problems}


def day(year: int, month: int, on: int) -> datetime:
    return datetime(year, month, on, tzinfo=ZONE).astimezone(UTC)


# ---------------------------------------------------------------- a document's elements


def test_every_element_of_an_official_document_is_read() -> None:
    entry = one(word())
    assert entry.title == "云澜县人民政府办公室关于印发《云澜县防汛应急预案（试行）》的通知"
    assert entry.document_number == "云政办发〔2026〕12号"
    assert entry.publisher == "云澜县人民政府办公室"
    assert (entry.formed, entry.published) == (day(2026, 9, 18), None)
    assert [a.name for a in entry.attachments] == ["云澜县防汛应急预案", "值班电话表"]
    assert entry.body.splitlines() == [
        "各乡镇人民政府，县政府各部门：",
        "《云澜县防汛应急预案（试行）》已经县政府同意，现印发给你们，请认真执行。",
        "附件：1．云澜县防汛应急预案",
        "2．值班电话表",
        "附件1",
        "云澜县防汛应急预案",
        "第一条　为做好防汛工作，制定本预案。",
    ]


def test_a_published_text_with_its_number_beneath_the_title_and_no_head() -> None:
    entry = lined(
        "^云澜县人民政府办公室",
        "^关于加强政务公开工作的意见",
        "^云政办发[2011]第08号",
        "各乡镇：",
        "一、总体要求。",
        "云澜县人民政府办公室　云澜县财政局",
        "二○一一年十二月七日",
    )
    assert entry.title == "云澜县人民政府办公室关于加强政务公开工作的意见"
    assert entry.document_number == "云政办发〔2011〕8号"
    assert entry.publisher == "云澜县人民政府办公室、云澜县财政局"
    assert entry.formed == day(2011, 12, 7)
    assert entry.body == "各乡镇：\n一、总体要求。"


def test_wrong_brackets_and_padded_serials_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(word(["关于供水的通知", "云水发(2026)第003号", "各乡镇："]))
    reading = read(tmp_path)
    assert reading.entries[0].document_number == "云水发〔2026〕3号"
    said = [p.what for p in reading.problems if p.where == "a.docx"]
    assert ["六角括号" in said[0], "虚位" in said[1]] == [True, True]


@pytest.mark.parametrize(
    ("lines", "title", "number", "publisher"),
    [
        (
            ["^云澜县人民政府令", "^第12号", "^云澜县烟花爆竹管理办法", "第一条　为了安全。"],
            "云澜县烟花爆竹管理办法",
            "云澜县人民政府令第12号",
            "云澜县人民政府",
        ),
        (
            [
                "^云澜县水利局",
                "^云澜县财政局文件",
                "云水〔2026〕3号",
                "^关于水价的通知",
                "各乡镇：",
            ],
            "关于水价的通知",
            "云水〔2026〕3号",
            "云澜县水利局、云澜县财政局",
        ),
        (
            ["^云澜县水利局", "云水函〔2026〕4号", "^关于商请支援的函", "县应急局："],
            "关于商请支援的函",
            "云水函〔2026〕4号",
            "云澜县水利局",
        ),
        (
            [
                "^云澜县水利局",
                "^云澜县财政局",
                "^文　件",
                "云水〔2026〕3号",
                "^云澜县水利局　云澜县财政局",
                "^关于水价的通知",
                "各乡镇：",
            ],
            "云澜县水利局 云澜县财政局关于水价的通知",
            "云水〔2026〕3号",
            "云澜县水利局、云澜县财政局",
        ),
        (
            ["^云澜县人民政府令", "第 12 号", "现予公布。", "县长　顾明", "2026年9月1日"],
            "云澜县人民政府令",
            "云澜县人民政府令第12号",
            "云澜县人民政府",
        ),
        (
            ["^云澜县税务局", "^公　告", "^2026年第7号", "^关于办税时间的公告", "现予公告。"],
            "关于办税时间的公告",
            "云澜县税务局公告2026年第7号",
            "云澜县税务局",
        ),
        (
            [
                "^县政府常务会议纪要",
                "^〔2026〕5号",
                "云澜县人民政府办公室　2026年9月1日",
                "^第30次县政府常务会议纪要",
                "会议研究了有关事项。",
            ],
            "第30次县政府常务会议纪要",
            "县政府常务会议纪要〔2026〕5号",
            "云澜县人民政府办公室",
        ),
        (
            [
                "云澜县水利局　云澜县财政局　文件",
                "云水〔2026〕3号",
                "^关于水价的通知",
                "2026-09-01",
            ],
            "关于水价的通知",
            "云水〔2026〕3号",
            "云澜县水利局、云澜县财政局",
        ),
        (["^停水公告", "因检修停水。", "云澜县水厂 2026年9月1日"], "停水公告", "", ""),
        (["因检修，明日停水，请储水备用。"], "notice", "", ""),
    ],
)
def test_kinds_of_documents(lines: list[str], title: str, number: str, publisher: str) -> None:
    entry = lined(*lines)
    assert (entry.title, entry.document_number) == (title, number)
    assert not publisher or entry.publisher == publisher
    assert lines[-1].split("　")[-1][:4] in entry.body or entry.formed


def test_a_text_file_is_read_like_a_document(tmp_path: Path) -> None:
    text = "关于停水的通告\r\n云水〔2026〕5号\r\n9月3日停水。\r\n云澜县水利局\r\n2026年9月1日\r\n"
    (tmp_path / "停水.txt").write_bytes(text.encode("gb18030"))
    (entry,) = read(tmp_path).entries
    assert (entry.title, entry.document_number) == ("关于停水的通告", "云水〔2026〕5号")
    assert (entry.publisher, entry.body) == ("云澜县水利局", "9月3日停水。")


# ---------------------------------------------------------------- what must not be published


@pytest.mark.parametrize("mark", ["机密★10年", "秘密 ★ 6个月", "绝密☆", "机密*1年"])
def test_a_document_with_a_mark_of_secrecy_is_not_read(tmp_path: Path, mark: str) -> None:
    (tmp_path / "a.docx").write_bytes(word(["000001", mark, *NOTICE[2:]]))
    reading = read(tmp_path)
    assert not reading.entries
    assert "密级" in told(reading)["a.docx"]


def test_a_note_that_forbids_publishing_is_told_and_kept(tmp_path: Path) -> None:
    closed = [*NOTICE[:12], "（此件依申请公开）", *NOTICE[13:]]
    (tmp_path / "a.docx").write_bytes(word(closed))
    reading = read(tmp_path)
    assert "依申请公开" in told(reading)["a.docx"]
    assert "（此件依申请公开）" in reading.entries[0].body


def test_deleted_and_hidden_passages_are_not_read_and_text_boxes_are() -> None:
    def more(made: Any) -> None:
        made.add_paragraph().add_run("隐藏的话").font.hidden = True
        space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
        parse = parse_xml
        body = made.element.body
        deleted = f'<w:p {space}><w:del w:id="1"><w:r><w:delText>删去的话</w:delText></w:r></w:del>'
        body.append(parse(f'{deleted}<w:ins w:id="2"><w:r><w:t>补上的话</w:t></w:r></w:ins></w:p>'))
        box = "<w:txbxContent><w:p><w:r><w:t>云澜县水利局文件</w:t></w:r></w:p></w:txbxContent>"
        body.insert(0, parse(f"<w:p {space}><w:r><w:pict>{box}</w:pict></w:r></w:p>"))

    body = word(["云水〔2026〕6号", "^关于水库的通知", "正文。"], more)
    entry = one(body)
    assert (entry.publisher, entry.body) == ("云澜县水利局", "正文。\n补上的话")
    reading = Folder(FolderOptions()).parse(body, "", Origin("a.docx", ZONE))
    assert ["修订" in p.what or "隐藏" in p.what for p in reading.problems][:2] == [True, True]


# ---------------------------------------------------------------- the folder


def test_every_file_is_an_entry_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "通知公告").mkdir()
    (tmp_path / "通知公告" / "a.docx").write_bytes(word())
    (tmp_path / "2026年预算.xlsx").write_bytes(b"PK")
    (tmp_path / "旧通知.doc").write_bytes(b"\xd0\xcf\x11\xe0")
    for passed in ("~$a.docx", "b.docx.part", ".DS_Store", "Thumbs.db", ".~lock.a.docx#"):
        (tmp_path / passed).write_bytes(b"x")
    (tmp_path / "link.txt").symlink_to(tmp_path / "2026年预算.xlsx")
    reading = read(tmp_path, address="https://yunlan.example/files")
    assert {e.key: e.title[:8] for e in reading.entries} == {
        "2026年预算.xlsx": "2026年预算",
        "旧通知.doc": "旧通知",
        "通知公告/a.docx": "云澜县人民政府办",
    }
    budget, _, notice = sorted(reading.entries, key=lambda e: e.key)
    assert notice.column == "通知公告"
    assert notice.link.startswith("https://yunlan.example/files/%E9%80%9A")
    assert budget.attachments == (Attachment(budget.link, "2026年预算.xlsx", SHEET, 2),)
    assert "另存为 .docx" in told(reading)["旧通知.doc"]
    assert reading.whole


SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def test_a_broken_file_is_told_by_name_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(word()[:2000])
    (tmp_path / "b.docx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    (tmp_path / "c.docx").write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")
    )
    (tmp_path / "d.txt").write_text("", "utf-8")
    (tmp_path / "e.docx").write_bytes(word())
    reading = read(tmp_path)
    assert [e.key for e in reading.entries] == ["e.docx"]
    said = told(reading)
    assert "不完整或已损坏" in said["a.docx"]
    assert "另存为" in said["b.docx"]
    assert "密码" in said["c.docx"]
    assert "空" in said["d.txt"]
    assert not reading.whole  # what cannot be read is not gone


def test_a_bomb_is_a_problem_of_its_own_file(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(packed, "UNPACKED", 500_000)
    out = io.BytesIO(word())
    with zipfile.ZipFile(out, "a", 8) as bomb:
        bomb.writestr("word/media/a.bin", b" " * 500_001)
    (tmp_path / "a.docx").write_bytes(out.getvalue())
    assert "解压后超过" in told(read(tmp_path))["a.docx"]


def test_a_file_that_is_still_being_written_waits_for_the_next_reading(tmp_path: Path) -> None:
    (tmp_path / "done.txt").write_text("关于供水的通告\n正文。\n", "utf-8")
    growing = tmp_path / "growing.txt"
    growing.write_text("关于", "utf-8")
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.02):
            with growing.open("a", encoding="utf-8") as file:
                file.write("停水")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        reading = read(tmp_path, settle=0.3)
    finally:
        ended.set()
        writer.join()
    assert [e.key for e in reading.entries] == ["done.txt"]
    assert "下次" in told(reading)["growing.txt"]
    assert (reading.etag, reading.whole) == ("", False)
    assert len(read(tmp_path, etag=reading.etag).entries) == 2


@pytest.mark.parametrize(
    "lock",
    [
        "~$停水.docx",
        "~$澜县供水管理办法.docx",
        ".~云澜县供水管理办法.docx",
        ".~lock.云澜县供水管理办法.docx#",
    ],
)
def test_a_document_that_somebody_has_open_is_left_until_it_is_closed(
    tmp_path: Path, lock: str
) -> None:
    names = ["停水.docx", "云澜县供水管理办法.docx"]
    for n, name in enumerate(names):
        (tmp_path / name).write_bytes(word(["^关于供水的通告", f"正文第{n}条。"]))
    (tmp_path / lock).write_bytes(b"lock")
    reading = read(tmp_path)
    open_one = next(name for name in names if name.endswith(lock[-9:].strip("#~$.")))
    assert {e.key for e in reading.entries} == {*names} - {open_one}
    assert told(reading)[open_one] == f"有人正打开着编辑，关闭后再读；没有人开着的，请删去 {lock}"
    assert not reading.whole
    (tmp_path / lock).unlink()
    again = read(tmp_path, etag=reading.etag, memo=reading.memo)
    assert {e.key for e in again.entries} == {*names}
    assert again.whole


@pytest.mark.parametrize("there", [b"", "关于供水的通告\n正文。\n".encode()])
def test_a_text_whose_room_is_made_and_not_filled_is_left(tmp_path: Path, there: bytes) -> None:
    """Windows and rsync --preallocate give a file its size before its bytes."""
    (tmp_path / "a.txt").write_bytes(there + b"\0" * 4096)
    os.utime(tmp_path / "a.txt", (1_700_000_000, 1_700_000_000))
    reading = read(tmp_path)
    assert reading.entries == ()
    assert "还没有写完" in told(reading)["a.txt"]
    assert not reading.whole


def test_a_file_taken_away_is_gone_after_two_whole_readings(tmp_path: Path) -> None:
    """Without it its post would go out though the office withdrew the document."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"关于供水的通告{name}\n", "utf-8")
    first = read(tmp_path)
    (tmp_path / "a.txt").unlink()
    (tmp_path / "c.docx").write_bytes(b"broken")
    part = read(tmp_path, etag=first.etag, memo=first.memo)
    assert (part.whole, part.gone) == (False, ())
    (tmp_path / "c.docx").unlink()
    second = read(tmp_path, etag=part.etag, memo=part.memo)
    assert second.gone == ()
    third = read(tmp_path, etag=second.etag, memo=second.memo)
    assert (third.unchanged, third.gone) == (False, ("a.txt",))
    assert read(tmp_path, etag=third.etag, memo=third.memo).unchanged


def test_of_an_empty_folder_nothing_is_said_to_be_gone(tmp_path: Path) -> None:
    """A share that is not mounted looks so."""
    file = tmp_path / "a.txt"
    file.write_text("关于供水的通告\n", "utf-8")
    reading = read(tmp_path)
    file.unlink()
    for _ in range(3):
        reading = read(tmp_path, etag=reading.etag, memo=reading.memo)
        assert reading.gone == ()
    file.write_text("关于供水的通告\n", "utf-8")
    assert read(tmp_path, etag=reading.etag, memo=reading.memo).gone == ()


def test_an_unchanged_folder_is_not_read_again_and_an_edit_is_the_same_entry(
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("关于供水的通告\n一。\n", "utf-8")
    first = read(tmp_path)
    assert read(tmp_path, etag=first.etag).unchanged
    file.write_text("关于供水的通告（更正）\n一。\n", "utf-8")
    again = read(tmp_path, etag=first.etag, memo=first.memo)
    assert again.entries[0].key == first.entries[0].key
    assert again.entries[0].digest != first.entries[0].digest


def test_old_files_are_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("关于供水的通告\n", "utf-8")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    began = time.monotonic()
    assert len(read(tmp_path, settle=20).entries) == 1
    assert time.monotonic() - began < 10


def test_a_folder_that_is_not_there_is_gone(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path / "inbox")
    assert caught.value.gone
    assert not read(tmp_path).entries


def test_the_kind_is_found_out_for_a_folder_and_for_one_document(tmp_path: Path) -> None:
    file = tmp_path / "a.docx"
    file.write_bytes(word())
    os.utime(file, (1_700_000_000, 1_700_000_000))
    whole = asyncio.run(read_any(str(tmp_path), ZONE))
    alone = asyncio.run(read_any(str(file), ZONE))
    assert [e.document_number for e in (*whole.entries, *alone.entries)] == [
        "云政办发〔2026〕12号"
    ] * 2


# ---------------------------------------------------------------- real documents


SAMPLE = Path(__file__).resolve().parents[2] / "../shared/samples/catalogue"


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the samples are not here")
def test_the_elements_of_real_documents_agree_with_their_catalogue() -> None:
    (export,) = SAMPLE.glob("*.sql")
    rows = export.read_text("utf-8").split("INSERT INTO ge_policy_raw")[1:]
    days: list[bool] = []
    for row in rows:
        title, organ, number = CATALOGUED.search(row).groups()  # type: ignore[union-attr]
        text = row.partition('UCAP-CONTENT">')[2].partition("</td>")[0]
        found = elements([Line(each) for each in plain(text).split("\n")], "?")
        formed = FORMED.search(row)[1].replace("月0", "月")  # type: ignore[index]
        assert (found.title, found.number) == (title, number)
        assert found.publisher in (organ, f"{organ}、中央军委办公厅", "")
        days.append(read_date(found.formed, ZONE) == read_date(formed, ZONE))
    assert (len(rows), days.count(False)) == (15, 1)  # 四月二十七日 is catalogued as the 17th


CATALOGUED = re.compile(r"VALUES \(\d+, '[^']*', '[^']*', '[^']*', '([^']*)', '([^']*)', '([^']*)'")
FORMED = re.compile(r"成文日期：</b></td>\s*<td>([^<]*)</td>")


def test_a_copy_is_told_and_not_taken_though_its_original_is_edited(tmp_path: Path) -> None:
    def _read(memo: dict[str, Any]) -> Reading:
        source = Folder(FolderOptions(settle=0))
        return asyncio.run(source.read(Origin(str(tmp_path), ZONE, memo=memo)))

    (tmp_path / "停水 - 副本.txt").write_text("停水\n\n明日停水。", "utf-8")
    (tmp_path / "停水.txt").write_text("停水\n\n明日停水。", "utf-8")
    both = _read({})
    assert len(both.entries) == 1
    assert both.whole
    assert [(p.where, p.what[:9]) for p in both.problems if "副本" in p.where] == [
        ("停水 - 副本.txt", "与“停水.txt”")
    ]
    (tmp_path / "停水.txt").write_text("停水\n\n改到后日停水。", "utf-8")
    edited = _read(dict(both.memo))
    assert [entry.key for entry in edited.entries] == [entry.key for entry in both.entries]
    assert edited.entries[0].body == "改到后日停水。"
    (tmp_path / "停水.txt").unlink()
    left = _read(dict(edited.memo))
    assert [entry.body for entry in left.entries] == ["明日停水。"], "now it is the only one"
