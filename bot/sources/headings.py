"""Which column of a table says what: told by config, else by the names offices give them.

A name is compared without spaces, brackets and what stands in them, case and width. One that only
ends in a known name ("政府信息名称") is a guess, which is told; the row of headings is the one in
which most fields are found, and may have a second row below it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.errors import SourceError
from bot.language import Say

# The first of a field's names that stands in a table counts before the others.
NAMES: Mapping[str, str] = {
    "id": "编号 信息编号 唯一标识 主键 条目编号 id uuid guid 信息id 文章id articleid docid "
    "contentid",
    "title": "标题 信息标题 文件标题 名称 信息名称 文件名称 政策名称 政府信息名称 公文标题 文章标题 "
    "公开内容标题 题名 事项名称 title articletitle biaoti wjbt wjmc xxmc xxbt name headline subject policyname xwbt",
    "index_number": "索引号 信息索引号 索引 索引码 indexnumber indexno idxid syh index identifier",
    "document_number": "发文字号 文号 文件编号 公文字号 文书号 发文文号 文件字号 决定书文号 "
    "决定文书号 documentnumber docnumber docno filenumber filenum fileno pcode releasenumber "
    "wh wenhao fwzh wjbh policyno",
    "publisher": "发布机构 发文机关 发布单位 发文单位 公开单位 公开主体 制发机关 发布部门 责任单位 "
    "信息来源 来源 制作单位 主办单位 单位 部门 机构 publisher source contentsource orgname "
    "organization department unit author puborg deptname sourcename docsourcename issueorg releaseoffice fbjg fwjg fwdw",
    "formed": "成文日期 生成日期 成文时间 生成时间 形成日期 形成时间 制作日期 印发日期 发文日期 "
    "印发时间 发文时间 决定日期 作出日期 签发日期 formed formeddate writtendate writetime "
    "writtentime writedate createdate ptime cwrq cwsj scrq",
    "published": "发布日期 公开日期 发布时间 公开时间 公布日期 公布时间 上网日期 上网时间 挂网时间 "
    "日期 时间 published publisheddate publishdate publishtime publishedat pubdate pubtime "
    "pubtimestr releasedate releasetime reltime relpubtime publishedtime datepublished "
    "displaypublishtime firstpublishtime showtime displaytime deploytime cdeploytime date time fbrq "
    "fbsj gkrq fabushijian issuedate issuetime posttime inputtime addtime firstpublicat "
    "firstpublishedat publicupdatedat createtime lastmodifieddate lastmodified updatedat updatetime",
    "topic": "主题分类 主题类别 主题 信息分类 组配分类 分类 类别 topic theme subjectname classifymainname category",
    "column": "栏目 栏目名称 所属栏目 信息栏目 公开栏目 频道 column columnname channel channelname "
    "catalog section chnldesc chnlname categoryname",
    "summary": "内容概述 摘要 概述 内容摘要 内容简介 主要内容 简介 信息概述 summary abstract description intro",
    "body": "正文 内容 信息内容 全文 公开内容 正文内容 body content text articlebody fulltext html",
    "link": "链接 网址 信息链接 链接地址 原文链接 页面地址 网页地址 url link href weburl puburl crawlurl basepath lianjie wangzhi self",
    "language": "语言 语种 language lang",
    "attachments": "附件 附件链接 附件地址 相关附件 attachments attachment files",
}
_KNOWN = {name: field for field, names in NAMES.items() for name in names.split()}
_RANK = {name: n for names in NAMES.values() for n, name in enumerate(names.split())}
_OF_WHAT = re.compile(r"^(?:info|doc|article|news|content|policy|file)(?=[a-z]{3})")
_ENDINGS = sorted((n for n in _KNOWN if not n.isascii() and len(n) > 1), key=len, reverse=True)
# English names are made up freely, but end in what they are; a picture's address is none of these.
_ENGLISH_END = re.compile(
    r"(?!img|pic|photo|thumb|cover|logo|file|attach|icon|sub|next|prev).*(title|url|href)"
)
_OTHER = re.compile("附件名|联系|电话|序号|备注|期限|公开方式|时限|有效|施行|生效|废止|截止")
_ASIDE = re.compile(r"[(（\[【〔].*?[)）\]】〕]|[\s_\-.*:：、，。“”\"'/]+")
LOOKED_AT = 30  # rows among which the headings are looked for


@dataclass(frozen=True)
class Columns:
    """Where each field stands: column numbers, best first; where one is empty the next counts."""

    row: int  # of the headings, 0-based
    first: int  # row of data
    names: tuple[str, ...]
    of: Mapping[str, tuple[int, ...]]
    guessed: tuple[str, ...] = ()  # headings that only end in a known name
    twice: tuple[str, ...] = ()  # headings that stand twice

    @property
    def unused(self) -> tuple[str, ...]:
        used = {n for places in self.of.values() for n in places}
        return tuple(name for n, name in enumerate(self.names) if name and n not in used)

    def shown(self) -> dict[str, str]:
        """Field → its headings, as people look it over."""
        return {
            field: "、".join(self.names[n] for n in places) for field, places in self.of.items()
        }


def normal(name: str) -> str:
    """A heading as it is compared."""
    return _ASIDE.sub("", unicodedata.normalize("NFKC", name)).lower()


def find(rows: Sequence[Sequence[str]], told: Mapping[str, str]) -> Columns:
    """The headings of a table and what they head. Raises SourceError where there are none.

    `told`: field → heading, from config; each must stand in the table.
    """
    found = [_at(rows, n, told) for n in range(min(len(rows), LOOKED_AT))]
    found += [_at(rows, n, told, deep=True) for n in range(min(len(rows) - 1, LOOKED_AT))]
    usable = [one for one in found if "title" in one.of]
    if not usable:
        raise SourceError(_no_title(rows, told))
    best = max(usable, key=lambda one: (len(one.of) - 0.5 * len(one.guessed), -one.first, -one.row))
    missing = [f"“{name}”" for field, name in told.items() if field not in best.of]
    if missing:
        raise SourceError(
            "表里没有 options.columns 指的列 {names}；现有的列：{there}",
            names="、".join(missing),
            there=_listed(best.names),
        )
    return best


def _no_title(rows: Sequence[Sequence[str]], told: Mapping[str, str]) -> Say:
    there = _listed(next((row for row in rows if sum(map(bool, row)) > 1), ()))
    if "title" in told:
        return Say(
            "表里没有标题列“{name}”；第一行有：{there}",
            name=told["title"],
            there=there,
        )
    return Say("找不到表头：没有一列叫标题或名称；第一行有：{there}", there=there)


def _listed(names: Iterable[str]) -> str:
    return "、".join([name[:20] for name in names if name][:20]) or "—"


def _at(
    rows: Sequence[Sequence[str]], n: int, told: Mapping[str, str], *, deep: bool = False
) -> Columns:
    """What row `n` heads; `deep` with the row below it, under headings that span several."""
    names = list(rows[n])
    if deep:
        below = rows[n + 1]
        if not all(_field(cell, told) for cell in below if cell):
            return Columns(n, n + 1, (), {})
        width = max(len(names), len(below))
        pairs = ((_cell(below, i), _cell(names, i)) for i in range(width))
        names = [low or high for low, high in pairs]
    return _mapped(n, n + 1 + deep, names, told)


def _cell(row: Sequence[str], n: int) -> str:
    return row[n] if n < len(row) else ""


def _mapped(row: int, first: int, names: Sequence[str], told: Mapping[str, str]) -> Columns:
    places: dict[str, list[tuple[int, int]]] = {}
    guessed = []
    for n, name in enumerate(names):
        if field := _field(name, told):
            rank = _RANK.get(normal(name), 99)
            places.setdefault(field, []).append((rank, n))
            if rank == 99 and field not in told:
                guessed.append(n)
    taken = {field: tuple(n for _, n in sorted(found)) for field, found in places.items()}
    sure = {field: _sure(where, guessed) for field, where in taken.items()}
    used = {n for where in sure.values() for n in where}
    twice = {name for name in names if name and list(names).count(name) > 1}
    told_twice = tuple(sorted(name for name in twice if _field(name, told)))
    odd = tuple(names[n] for n in guessed if n in used)
    return Columns(row, first, tuple(names), sure, odd, told_twice)


def _sure(where: tuple[int, ...], guessed: Sequence[int]) -> tuple[int, ...]:
    """A guess counts only where nothing is known."""
    return tuple(n for n in where if n not in guessed) or where


def _field(name: str, told: Mapping[str, str]) -> str:
    """The field a heading means; what config tells of a field is all that counts for it."""
    bare = normal(name)
    if not bare or len(bare) > 30:
        return ""
    for field, wanted in told.items():
        if normal(wanted) == bare:
            return field
    found = _KNOWN.get(bare, "") or _KNOWN.get(_OF_WHAT.sub("", bare).removesuffix("str"), "")
    if not found and not _OTHER.search(bare):
        found = next((_KNOWN[end] for end in _ENDINGS if bare.endswith(end)), "")
    if not found and (end := _ENGLISH_END.fullmatch(bare)):
        found = _KNOWN[end[1]]
    return "" if found in told else found
