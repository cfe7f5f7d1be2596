"""What a page's labels name: 索引号：… 发文机关：… 成文日期：…

They stand in a table (label and value side by side, or labels over values), a list of definitions,
or lines, with a colon or without. A label that names no field of ours ends the value before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from bot.sources.page_tree import Node, Page, text_of
from bot.sources.plain import words

# Label → field; an empty one is a label all the same: where it stands, the value before it ends.
LABELS = {
    **dict.fromkeys(("索引号", "索引编号", "索取号", "信息索引号", "信息索引", "索引码"), "index_number"),
    **dict.fromkeys(("主题分类", "信息分类", "主题类别", "分类", "所属主题"), "topic"),
    **dict.fromkeys(
        ("发文机关", "发布机构", "发文单位", "发布单位", "制发机关", "发布机关", "公开主体",
         "发文机构", "发布部门", "发文部门", "制发单位", "公开机构", "公布机关", "制定机关",
         "印发机关", "公开单位", "公开部门", "责任部门", "责任单位", "公开责任部门",
         "公开责任单位", "报送单位", "制文机关", "公布单位", "制发机构", "所属机构", "信息来源单位"),
        "publisher",
    ),
    **dict.fromkeys(
        ("成文日期", "成文时间", "生成日期", "生成时间", "制发日期", "发文日期", "发文时间",
         "印发日期", "印发时间", "形成日期", "形成时间", "签发日期", "签发时间", "签署日期",
         "制定日期", "发文年月日"),
        "formed",
    ),
    **dict.fromkeys(
        ("发文字号", "文号", "文件编号", "发文文号", "公文字号", "文件字号", "发布文号", "文件号",
         "文件文号", "公文文号", "政策文号", "发文号"),
        "document_number",
    ),
    **dict.fromkeys(
        ("发布日期", "公开日期", "发布时间", "公开时间", "公布日期", "公布时间", "上网日期",
         "上网时间", "首次公开日期", "首次公开时间"),
        "published",
    ),
    **dict.fromkeys(
        ("标题", "名称", "信息名称", "文件名称", "信息标题", "文件标题", "公文标题", "公文名称",
         "政策名称"),
        "title",
    ),
    **dict.fromkeys(("内容概述", "内容摘要", "摘要", "信息概述"), "summary"),
    **dict.fromkeys(("主题词", "关键词", "关键字"), "keywords"),
    **dict.fromkeys(
        ("有效性", "是否有效", "公开方式", "公开形式", "公开范围", "公开时限", "体裁分类", "体裁",
         "组配分类", "服务对象分类", "信息来源", "生效日期", "实施日期", "施行日期", "废止日期",
         "失效日期", "语种", "载体类型", "信息类别", "来源", "作者", "效力状态", "效力状况",
         "效力级别", "时效性", "有效期", "有效期限", "文件状态", "公文种类", "公文类型", "文种",
         "更新日期", "更新时间", "信息格式", "公开属性", "公开类别", "公开程序", "附件下载",
         "文件下载", "浏览次数", "点击数", "点击次数", "阅读次数", "浏览量", "访问量", "责任编辑",
         "审核", "字体", "字号", "打印", "分享", "统一登记号", "统一编号", "登记号", "登记日期",
         "信息时效期", "信息有效性", "公文时效", "实施时间", "施行时间", "生效时间", "废止时间",
         "失效时间", "截止日期", "文件类型", "文件类别", "文件分类", "公开目录", "信息名录", "备注", "发布形式", "公文体裁", "时效状态", "政策层级"),
        "",
    ),
}  # fmt: skip


_ANY = "|".join(r"\s*".join(label) for label in sorted(LABELS, key=len, reverse=True))
_HEAD = r"(?<![\w、])(?:{}\s*[:：]|[\[【［]\s*{}\s*[\]】］]\s*[:：]?)"  # 索引号： or [索引号]
LABELLED = re.compile(
    rf"{_HEAD.format(f'(?P<label>{_ANY})', f'(?P<framed>{_ANY})')}"
    rf"\s*(?P<value>.*?)\s*(?={_HEAD.format(f'(?:{_ANY})', f'(?:{_ANY})')}|\Z)"
)
_UNMARKED = re.compile(rf"(?P<label>{_ANY})\s*(?P<value>\S.*)\Z")
_STRANGER = re.compile(r"\s+[\u4e00-\u9fff]{2,8}\s*[:：].*")  # a label that we do not know
_FORMS = {  # what a value that stands apart from its label must look like
    "index_number": re.compile(r"[\w/.-]*\d[\w/.-]*\Z"),
    "document_number": re.compile(r".{2,30}号\Z"),
    "formed": re.compile(r"\d{4}\D.{3,20}\Z"),
    "published": re.compile(r"\d{4}\D.{3,20}\Z"),
    "publisher": re.compile(r"[^，。；]{2,40}\Z"),
    "topic": re.compile(r"[^，。；]{2,40}\Z"),
}
_SURE = {"index_number", "document_number", "formed", "published"}  # known by their form alone
_FREE = {"title", "summary"}  # may hold anything
OF_A_DOCUMENT = {"index_number", "document_number", "formed", "topic"}  # labels that make a table
_NONE = {"无", "暂无", "空", "null"}
_LONGEST = 1000  # characters of a line in which labels are looked for


def bare(text: str) -> str:
    return "".join(text.split())


def begins_with(text: str) -> str | None:
    """The field that the label at a line's beginning names; None where none stands there."""
    found = LABELLED.match(text)
    return field_of(found["label"] or found["framed"]) if found else None


def field_of(label: str) -> str | None:
    """The field that a text names, "" for none of ours; None where it is no label."""
    return LABELS.get(bare(label).strip(":：[]【】［］"))


def labelled(page: Page, lines: Sequence[str]) -> dict[str, str]:
    """Fields by the page's tables, then by these lines. The first of each counts."""
    found: dict[str, str] = {}
    for label, value in (*_cells(page), *_in_lines(lines)):
        name = field_of(label)
        if name and (value := _value(name, value)) and (name != "title" or len(value) > 3):
            found.setdefault(name, value)
    if found.get("document_number") == found.get("index_number"):
        found.pop("document_number", "")  # as some systems fill it in where there is none
    return found


def _value(name: str, text: str) -> str:
    text = text.strip() if name in _FREE else _STRANGER.sub("", text.strip())
    return words(text) if re.search(r"\w", text) and text not in _NONE else ""


# ---------------------------------------------------------------- tables


def _cells(page: Page) -> Iterator[tuple[str, str]]:
    rows: dict[int, list[list[str]]] = {}  # of tables, by whose they are
    for row in page.tree.css("tr,dl"):
        texts = _texts(row)
        labels = [field_of(text) is not None for text in texts]
        for n in range(len(texts) - 1):
            if labels[n] and not labels[n + 1]:
                yield texts[n].rstrip(":：　 "), texts[n + 1]
        if row.tag == "tr" and row.parent is not None:
            rows.setdefault(row.parent.mem_id, []).append(texts)
    for table in rows.values():
        yield from _under_heads(table)


def _texts(row: Node) -> list[str]:
    """What a row's cells say; one that holds a table says nothing itself."""
    cells = [cell for cell in row.iter() if cell.tag in ("td", "th", "dt", "dd")]
    return [text_of(cell) if cell.css_first("table") is None else "" for cell in cells]


def _under_heads(rows: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """A row of labels over one of values; over several it is a list's."""
    for n, (heads, values) in enumerate(pairwise(rows)):
        more = len(rows[n + 2]) if n + 2 < len(rows) else 0
        fits = len(heads) > 1 and len(values) == len(heads) != more
        known = [field_of(cell) is not None for cell in (*heads, *values)]
        if fits and all(known[: len(heads)]) and not any(known[len(heads) :]):
            yield from zip(heads, values, strict=True)


# ---------------------------------------------------------------- lines


def _in_lines(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for text, following in zip(lines, [*lines[1:], ""], strict=False):
        if field_of(text) is not None:
            yield text, _fitting(text, following)
            continue
        found = [*LABELLED.finditer(text)] if len(text) < _LONGEST else []
        for match in found:
            value = match["value"].strip(" 　|｜")
            last = not value and match.end() == len(text)
            label = match["label"] or match["framed"]
            yield label, _fitting(label, following) if last else value
        unmarked = None if found else _UNMARKED.match(text)
        if unmarked and field_of(unmarked["label"]) in _SURE:
            yield unmarked["label"], _fitting(unmarked["label"], unmarked["value"])


def _fitting(label: str, text: str) -> str:
    form = _FORMS.get(field_of(label) or "")
    return text if form and form.match(text) and field_of(text) is None else ""
