"""Sums that do not come out: of simple tables, and of what a sentence lists after its total."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from bot.language import Say
from bot.model import Severity
from bot.screen.base import FIGURE, Context, Hit, late

# ---------------------------------------------------------------- of a table

_SPLIT = late(r"[ ]*[|｜\t][ ]*|[ ]{2,}|[ ]*,[ ]+")
_COMMAS = late(
    r"[ ]*(?:[，；;]|[：:](?=[ ]*[0-9,.]+[^0-9，；;：:]{1,3}$)|(?<![0-9]),|,(?![0-9]{3}(?![0-9])))[ ]*"
)
_SUMMED = late("[合总小共] *计|总 *[和数额]|汇 *总")
_TOTAL = late(r"[|｜ ]*(?:全部)?(?:合 *计|总 *计|共 *计|总 *[和数额]|小 *计|汇 *总)")
_FIGURES = late(r"[-−]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[-−]?[0-9]+(?:\.[0-9]+)?")
_UNIT = late(
    r"(?:万|亿|千)?(?:元|人|件|个|项|户|吨|亩|公里|米|次|家|所|名|例|台|辆|平方米|份|条|起|处|宗|批|座)?$"
)
_NOT_SUMMED = late(
    r"序号|编号|年份|年度|日期|时间|率|比|均|单价|占|排名|增[长幅速减]|同比|%|％|代码|电话|级别|邮编|号码|账号|楼|QQ"
)
_SUM_SAID = Say("合计与上面各行之和不符。请核对").text


def tables(text: str, context: Context) -> Iterator[Hit]:
    """The 合计 of a simple table, one row a line, that is not the sum of its column."""
    if context.part or not _SUMMED.search(text):
        return
    for table in _tables(text):
        yield from _checked(table)


Cell = tuple[int, int, str]


def _tables(text: str) -> Iterator[list[list[Cell]]]:
    """Neighbouring lines of as many cells, at least three with one that begins with 合计."""
    rows: list[list[Cell]] = []
    at = 0
    for line in [*text.split("\n"), ""]:
        cells = _cells(line, at)
        at += len(line) + 1
        if _ruled(line):
            continue
        if rows and len(cells) != len(rows[-1]):
            if len(rows) > 2:
                yield rows
            rows = []
        if len(cells) > 1:
            rows.append(cells)


def _ruled(line: str) -> bool:
    return bool(line.strip()) and not line.strip("-=+|｜:： \t")


_BLANKS = late("[ ]+")
_GLUED = late(r"([\u4e00-\u9fff（）]{2,12})([0-9][0-9,.]*[\u4e00-\u9fff]{1,3})[；;，,]?")
LONGEST = 120


def _cells(line: str, at: int) -> list[Cell]:
    inner = line.strip("|｜ ").rstrip("\t")
    if len(inner) > LONGEST or "。" in inner:  # a paragraph is no row
        return []
    pattern = next((p for p in (_SPLIT, _COMMAS) if p.search(inner)), _BLANKS)
    start = at + line.find(inner) if inner else at
    if glued := _GLUED.fullmatch(inner):  # 道路100万元
        return [(start + glued.start(n), start + glued.end(n), glued[n]) for n in (1, 2)]
    cells, begin = [], 0
    for gap in [*pattern.finditer(inner), None]:
        end = gap.start() if gap else len(inner)
        cells.append((start + begin, start + end, inner[begin:end].strip()))
        begin = gap.end() if gap else end
    return cells


def _checked(rows: list[list[Cell]]) -> Iterator[Hit]:
    if any(cell[2].startswith("其中") or "其中" in cell[2] for row in rows for cell in row):
        return
    head = rows[0] if all(_figure(c[2]) is None for c in rows[0][1:]) else None
    body = rows[1:] if head else rows
    for n, row in enumerate(body):
        if not _total(row) or len(_label(row)) > 8:
            continue
        for column in range(1, len(row)):
            named = head[column][2] if head else ""
            if not _NOT_SUMMED.search(named) and (wrong := _wrong(body, n, column)) is not None:
                start, end, _ = row[column]
                yield Hit("sum", Severity.WARN, start, end, _SUM_SAID, f"{wrong:f}")
    if head:
        yield from _halved(head, body)
    if head and _TOTAL.fullmatch(head[-1][2]):
        yield from _across(head, body)


def _across(head: list[Cell], body: list[list[Cell]]) -> Iterator[Hit]:
    """Rows whose last cell, headed 合计, is not the sum of the others, where most rows' is."""
    if len(head) < 4 or any(_NOT_SUMMED.search(cell[2]) or "数量" in cell[2] for cell in head[1:]):
        return
    rows = [[_figure(cell[2], blank=True) for cell in row[1:]] for row in body]
    sums = [None if None in row else sum(map(_known, row[:-1]), Decimal(0)) for row in rows]
    wrong = [n for n, total in enumerate(sums) if total is not None and total != rows[n][-1]]
    if None not in sums and 2 * len(wrong) < len(rows):
        for n in wrong:
            start, end, _ = body[n][-1]
            yield Hit("sum", Severity.WARN, start, end, _SUM_SAID, f"{sums[n]:f}")


def _halved(head: list[Cell], body: list[list[Cell]]) -> Iterator[Hit]:
    """小区数, 达标数, 未达标数: a whole beside both its halves, in most rows their sum."""
    for column in range(2, len(head) - 1):
        other = re.sub("^[未不非]", "", head[column + 1][2])
        if other == head[column + 1][2] or other != head[column][2]:
            continue
        rows = [
            [_figure(row[at][2], blank=True) for at in (column - 1, column, column + 1)]
            for row in body
        ]
        off = [
            n
            for n, row in enumerate(rows)
            if None not in row and _known(row[0]) != _known(row[1]) + _known(row[2])
        ]
        if 2 * len(off) < len(rows):
            for n in off:
                start, end = body[n][column - 1][0], body[n][column + 1][1]
                yield Hit("sum", Severity.WARN, start, end, _SUM_SAID)


def _known(figure: Decimal | None) -> Decimal:
    return figure or Decimal(0)


def _label(row: list[Cell]) -> str:
    """What a row is called: its first cell, or its second where the first is left empty."""
    return row[0][2] or row[1][2]


def _total(row: list[Cell]) -> bool:
    return bool(_TOTAL.match(_label(row)))


def _wrong(body: list[list[Cell]], n: int, column: int) -> Decimal | None:
    """The right sum of a column, if row `n` says another; None if it is right or cannot be told."""
    said = _figure(body[n][column][2])
    above, below = body[:n], body[n + 1 :]
    if said is None or "%" in body[n][column][2] or "％" in body[n][column][2]:
        return None
    units = {unit for row in body if (unit := _unit(row[column][2]))}
    if len(units) > 1:  # what is counted is not one thing
        return None
    ways = [way for rows in (above, below) for way in _ways(rows, column)]
    if not ways or any(abs(total - said) <= slack for total, slack in ways):
        return None
    return ways[0][0]


def _ways(rows: list[list[Cell]], column: int) -> Iterator[tuple[Decimal, Decimal]]:
    """What a total over `rows` may be: of all that are no totals, or since the last; its rounding."""
    since = max((i + 1 for i, row in enumerate(rows) if _total(row)), default=0)
    plain = [row for row in rows if not _total(row)]
    for some in (plain, rows[since:]):
        figures = [_figure(row[column][2], blank=True) for row in some]
        known = [f for f in figures if f is not None]
        if len(known) == len(figures) and len(known) > 1:
            places = max(-int(f.as_tuple().exponent) for f in known)
            slack = Decimal(len(known)) / 2 / 10**places if places else Decimal(0)
            yield sum(known, Decimal(0)), slack


def _unit(cell: str) -> str:
    match = _FIGURES.match(cell)
    return cell[match.end() :] if match else ""


def _figure(cell: str, blank: bool = False) -> Decimal | None:
    """The number in a cell; None where there is none. With `blank` a dash or nothing is 0."""
    match = _FIGURES.match(cell)
    if match and _UNIT.fullmatch(cell, match.end()):
        return Decimal(match[0].replace(",", "").replace("−", "-"))
    return Decimal(0) if blank and cell in ("", "-", "—", "——", "/", "－", "无") else None


# ---------------------------------------------------------------- of a sentence

_COUNTED = (
    "元|人次|户次|枚|面|块|分(?![之别钟为])|车次|人|件|个|项|户|吨|公斤|亩|公顷|公里|千米|平方米|立方米|米|次|家|所|名|例|台|辆|份|条|起|处|宗"
    "|批|座|期|场|套|间|张|只|头|棵|株|盏|栋|幢|艘|架|本|册|篇|部|支|队|位|对|组|班|节|课时|小时|天|车|千瓦时|千瓦|度|票|村"
)
_TIMES = {"": 1, "百": 100, "千": 1000, "万": 10**4, "百万": 10**6, "千万": 10**7, "亿": 10**8}
_FIGURE = rf"({FIGURE}) ?(百万|千万|[百千万亿]?)({_COUNTED})(?![次余多以左内外])"
_ABOUT = "约近超逾达余多"
# An item: what is counted, and how many; in brackets after it its own parts.
_ITEM = late(
    rf"(?:[、，,；;]|以及|[和及与])? ?([\u4e00-\u9fffA-Za-z“”·（）()]{{1,16}}?)[：:]?(?:分别)?(?:共|有|为|是|各)? ?{_FIGURE}"
    r"(?:[（(][^（）()。\n]{0,60}[）)])?"
)
_WHOLE = late(
    rf"(?:(共计?|合计|总计|一共|总共|累计)[^，。；：:\n0-9]{{0,10}}?|(?<=[\u4e00-\u9fff])){_FIGURE}"
    r"(?:[\u4e00-\u9fff]{0,8})?(?:[0-9][0-9,.]{0,8}[\u4e00-\u9fff]{1,3})?(?:，|,|；|：|:|（|\()? ?(其中|分别(?:为|是)|即|分为|包括)?(?:有|是|为)?[：:，,]?"
)
_TOTALLED = late(
    rf"[，,；;：: ]?(?:[一二两三四五六七八九十]{{1,2}}[\u4e00-\u9fff]{{1,3}})?(?:合计|共计|总计|一共|总共)(?:为|是)?[^，。；：:\n0-9]{{0,6}}?{_FIGURE}"
)
# Where parts overlap, or are but some of the whole, no sum can be asked.
_OVERLAP = late(
    "党员|团员|少数民族|汉族|本科|硕士|博士|研究生|大专|学历|职称|退役|退伍|困难|残疾|低保|脱贫|老年|老人|儿童|岁|以[上下内]|新[增建]|首次|重点"
    "|[重较特]大|已|完成|办[结理]|立案|查处|处罚|移送|发现|整改|结案|受理|签约|开工|竣工|投产|通过|获|合格|占|同比|增长|下降|[网线]上|线下"
    "|现场|当场|满意|规模|涉[及案]|治愈|死亡|重症|解除|关[停闭]|责令|警告|约谈|问责|处分|诫勉|到位|使用|拨付|惠及|带动|平均|人均|每"
    "|本[月季周]|新|高级|中级|初级|骨干|外出|返乡|异地|跨|优秀|先进|示范|直接|间接|较|比|不|从|[达来减增]?到|至|价值|的$"
)
_PARTIAL = late("其余|其他|其它|另有|另外|剩余|余下|还有|不含|含|等|主要|包括")
_CLOSED = tuple(map(set, ("男女", "春夏秋冬", "上下")))
_LISTS = late("其中|分别|[合共总]计|[一总]共|分为|共(?=[\u4e00-\u9fff]{0,10}[0-9])")
_SENTENCE = late("[^。！？\n]+")
_LISTED_SAID = Say("分项之和与总数不符。请核对").text


SIGNS = ("其中", "分别", "合计", "共", "总计", "分为")


def listed(text: str, context: Context) -> Iterator[Hit]:
    """共350件，其中A类180件、B类120件、C类90件: parts of one unit that do not make up the whole.

    More than the whole is told unless the parts may overlap; less only where the list is whole.
    """
    end = 0
    for sign in _LISTS.finditer(text):
        if sign.start() >= end:
            start = max(text.rfind(mark, 0, sign.start()) for mark in "。！？\n") + 1
            sentence = _SENTENCE.match(text, start)
            end = sentence.end() if sentence else sign.end()
            yield from _of_sentence(text, start, end)


def _of_sentence(text: str, start: int, end: int) -> Iterator[Hit]:
    for whole in _WHOLE.finditer(text, start, end):
        if not (whole[5] or whole[1]) or text[whole.start(2) - 1] in _ABOUT:
            continue
        items, stop = _items(text, whole.end(), end, whole[4], _value(whole[2], whole[3]))
        tail = text[stop:end]
        if len(items) > 1 and not _open(items, tail) and _differs(whole, items):
            right = _plain(_total_of(items) / _TIMES[whole[3]]) + text[whole.end(2) : stop]
            yield Hit("sum", Severity.WARN, whole.start(2), stop, _LISTED_SAID, right)
    yield from _before_total(text, start, end)


def _plain(figure: Decimal) -> str:
    written = f"{figure:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


Item = tuple[str, Decimal]


def _items(text: str, at: int, end: int, unit: str, whole: Decimal) -> tuple[list[Item], int]:
    """The parts from `at` on that are counted as the whole is; and where they end."""
    items: list[Item] = []
    while (item := _ITEM.match(text, at, end)) and item[4] == unit:
        if item[1][-1] in _ABOUT or any(mark in item[1] for mark in "合总共计"):
            break
        items.append((item[1], _value(item[2], item[3])))
        at = item.end()
        if len(items) > 1 and _total_of(items) == whole:  # what follows is of something else
            break
    return items, at


def _value(figure: str, times: str) -> Decimal:
    return Decimal(figure.replace(",", "")) * _TIMES[times]


def _total_of(items: list[Item]) -> Decimal:
    return sum((value for _, value in items), Decimal(0))


def _open(items: list[Item], tail: str) -> bool:
    """May the parts overlap, or be but some? What all are called (农村党员、社区党员) parts none."""
    if _PARTIAL.search(tail[:40]):
        return True
    words = [set(_OVERLAP.findall(label)) for label, _ in items]
    return any(said - set.intersection(*words) for said in words)


def _differs(whole: re.Match[str], items: list[Item]) -> bool:
    said, found = _value(whole[2], whole[3]), _total_of(items)
    slack = Decimal(len(items) + 1) * _rounding(whole)
    if not whole[5]:
        return len(items) > 2 and slack < abs(said - found) <= said / 4
    if whole[5] in ("分别为", "分别是", "分为", "即") or _closed(items):
        return abs(said - found) > slack
    if found > said:
        return found - said > slack
    alike = len(items) > 2 and len({label[-1] for label, _ in items}) == 1
    return bool(whole[1]) and alike and slack < said - found <= said / 10


def _rounding(whole: re.Match[str]) -> Decimal:
    """Half the last place of a figure that is written in 万 or with a point; counts are exact."""
    places = len(whole[2].partition(".")[2])
    return Decimal(_TIMES[whole[3]]) / 2 / 10**places if places else Decimal(0)


def _closed(items: list[Item]) -> bool:
    """Are the parts all there can be: 男、女; the four seasons; both halves of a year?"""
    return any({label[:1] for label, _ in items} == whole for whole in _CLOSED)


def _before_total(text: str, start: int, end: int) -> Iterator[Hit]:
    """A类180件、B类120件，合计310件."""
    for total in _TOTALLED.finditer(text, start, end):
        items: list[Item] = []
        at, first, last = total.start(), total.start(), 0
        for item in _ITEM.finditer(text, max(start, at - 160), at):
            if item[4] != total[3]:
                items = []
                continue
            first = first if items else item.start(1)
            items = [*items, (item[1], _value(item[2], item[3]))]
            last = item.end()
        if len(items) < 2 or last != at or _open(items, ""):
            continue
        said, found = _value(total[1], total[2]), _total_of(items)
        if found != said and abs(found - said) <= said / 4 and "." not in total[1]:
            right = text[first : total.start(1)] + _plain(found / _TIMES[total[2]])
            right += text[total.end(1) : total.end(3)]
            yield Hit("sum", Severity.WARN, first, total.end(3), _LISTED_SAID, right)
