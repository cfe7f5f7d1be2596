"""In which language the command line speaks, and how it shows what a row keeps as a key.

--lang, else config.toml, else Chinese. Help stands where the command stands, in both languages with a
bar between them (列出稿件 | the posts): the reader sees his half; where no office says which, both.
States are said with the words of the console (bot.web.words); --json keeps the keys.
"""

from __future__ import annotations

import copy
import gettext
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import click

from bot.language import Say, current, use

LOCALE = Path(__file__).parent.parent / "locale"
BAR = " | "
_ASKED = re.compile(r"""^\s*language\s*=\s*["'](zh|en)["']""", re.M)
_TABLE = re.compile(r"^\s*\[", re.M)
_both: ContextVar[bool] = ContextVar("both", default=False)
T = TypeVar("T", bound=click.Command | click.Parameter)


def choose(command: click.Command, args: Sequence[str]) -> None:
    """Speak from here on, errors and help too, as --lang or the office of --config says."""
    early = click.Context(command, resilient_parsing=True, **command.context_settings)
    given, _rest, _order = command.make_parser(early).parse_args([*args])
    path = given.get("path") or os.environ.get("GONGKAI_CONFIG") or "config.toml"
    office = _of_office(Path(path))
    language = given.get("lang") or office
    _both.set(not language)
    use(language or "zh")
    os.environ["LANGUAGE"] = current()  # what click says goes by it
    gettext.bindtextdomain("click", str(LOCALE))
    gettext.textdomain("click")


def _of_office(path: Path) -> str:
    """What its file says, even where the rest of it cannot be read; empty where there is none."""
    with suppress(OSError):
        text = path.read_text("utf-8-sig", errors="replace")
        said = _ASKED.search(_TABLE.split(text, maxsplit=1)[0])
        return said[1] if said else "zh"
    return ""


# ---------------------------------------------------------------- help


class Spoken(click.Command):
    """A command that explains itself in the reader's language."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        told = _in_words(self)
        told.params = [_in_words(one) for one in self.params]
        told._help_option = None  # click keeps it in the language it first met
        super(Spoken, told).format_help(ctx, formatter)

    def get_short_help_str(self, limit: int = 45) -> str:
        return super(Spoken, _in_words(self)).get_short_help_str(limit)


class Group(Spoken, click.Group):
    command_class = Spoken
    group_class = type


def _in_words(of: T) -> T:
    told = copy.copy(of)
    if text := getattr(of, "help", None):
        told.help = half(text)
    return told


def half(text: str) -> str:
    """The reader's half of a text that stands in both languages."""
    chinese, bar, english = text.partition(BAR)
    if not bar or _both.get():
        return text
    return english.removesuffix(".") if current() == "en" else chinese


# ---------------------------------------------------------------- headings

HEADS: Mapping[str, Say] = {
    "account": Say("账号"),
    "account_key": Say("账号"),
    "accounts": Say("账号"),
    "act": Say("办理"),
    "actor": Say("何人"),
    "adapter": Say("平台"),
    "ahead": Say("未开始"),
    "asleep": Say("待核准"),
    "at": Say("时间"),
    "author_name": Say("何人"),
    "begins": Say("自"),
    "begun_at": Say("开始"),
    "behalf": Say("代"),
    "broken": Say("原因"),
    "check": Say("检查"),
    "chosen": Say("本单位"),
    "closed_at": Say("至"),
    "column": Say("栏目"),
    "columns": Say("栏目"),
    "count": Say("条"),
    "created_at": Say("登录于"),
    "daily_max": Say("每日上限"),
    "day": Say("日期"),
    "delivery_sent_at": Say("时间"),
    "delivery_state": Say("转发"),
    "digest": Say("摘要"),
    "disabled": Say("停用"),
    "ended_at": Say("结束"),
    "ends": Say("至"),
    "ends_at": Say("截止"),
    "enough": Say("配齐"),
    "error": Say("原因"),
    "fields": Say("字段"),
    "from_unit": Say("报送"),
    "giver": Say("委托人"),
    "go_at": Say("计划"),
    "id": Say("编号"),
    "identity_name": Say("身份"),
    "idle_since": Say("最近更新"),
    "items": Say("条目"),
    "key": Say("键"),
    "kind": Say("类别"),
    "last": Say("上一次"),
    "latest_at": Say("最迟"),
    "likes": Say("赞"),
    "line": Say("行"),
    "link": Say("控制台"),
    "login": Say("登录名"),
    "mark": Say("日子"),
    "name": Say("名称"),
    "next": Say("下几次"),
    "note": Say("事由"),
    "number": Say("版本"),
    "of": Say("类别"),
    "ok_at": Say("最近读到"),
    "opened_at": Say("自"),
    "origin": Say("地址"),
    "outcome": Say("结果"),
    "over_limit": Say("超长时"),
    "parent": Say("上级"),
    "pending": Say("改为"),
    "post": Say("稿件"),
    "post_title": Say("稿件"),
    "posts": Say("稿件"),
    "published": Say("发布"),
    "raw": Say("原话"),
    "reason": Say("事由"),
    "remarks": Say("说明"),
    "removed": Say("已删"),
    "replies": Say("评"),
    "reposts": Say("转"),
    "returned": Say("退回"),
    "revoked_at": Say("撤销"),
    "role": Say("角色"),
    "rule": Say("规则"),
    "said": Say("说明"),
    "say": Say("事由"),
    "says": Say("查什么"),
    "scope": Say("范围"),
    "scopes": Say("范围"),
    "seen": Say("采到"),
    "seen_at": Say("最近使用"),
    "severities": Say("本来的级别"),
    "severity": Say("级别"),
    "signed": Say("签字"),
    "signer": Say("签发人"),
    "since": Say("自"),
    "source_name": Say("来源"),
    "stands": Say("有效"),
    "state": Say("状态"),
    "step_name": Say("审次"),
    "steps": Say("审次"),
    "stops": Say("停住"),
    "subject": Say("对象"),
    "suggestion": Say("建议"),
    "taker": Say("代签人"),
    "target": Say("对象"),
    "template": Say("模板"),
    "text": Say("内容"),
    "title": Say("标题"),
    "titles": Say("职务"),
    "token_ends": Say("凭据至"),
    "told": Say("已告知"),
    "total": Say("平台计"),
    "totp": Say("动态口令"),
    "unit": Say("单位"),
    "until": Say("至"),
    "used_at": Say("最近使用"),
    "used_today": Say("今日已用"),
    "uses": Say("用在哪里"),
    "value": Say("情况"),
    "verb": Say("何事"),
    "waits": Say("等待"),
    "what": Say("会停住"),
    "where": Say("账号"),
    "why": Say("为什么"),
    "words": Say("词语"),
}

# ---------------------------------------------------------------- keys in words

Wording = str | Mapping[Any, Say] | Callable[[Mapping[Any, Any]], Any]


def worded(row: Mapping[Any, Any], name: str, how: Wording | None) -> Any:
    """The value of a column as people read it. `how`: a kind of chip, words by key, or a function
    of the row."""
    if callable(how):
        return how(row)
    value = row.get(name)
    return value if how is None or value in (None, "") else str(word(how, value))


def word(how: str | Mapping[Any, Say], key: str) -> Say:
    """What a key is called: as its chip says, or by a table of words; one without a word is itself."""
    if isinstance(how, str):
        from bot.web.words import chip

        return chip(how, key).word
    return how.get(key) or Say("{name}", name=key)


def listed(of: Iterable[Any]) -> str:
    """Several things one after the other, as the language does it."""
    return str(Say("、")).join(map(str, of))


def keyed(said: str, names: Mapping[str, Any]) -> str:
    """The key somebody means who wrote it, or its word as he read it; empty for empty.

    Raises NotFound naming all.
    """
    from bot.errors import NotFound

    found = next((key for key, name in names.items() if said in (key, str(name))), "")
    if said and not found:
        listing = listed(f"{name} {key}" for key, name in names.items())
        raise NotFound("没有状态 {state}，有：{known}", state=said, known=listing)
    return found


def names_of(kind: str, *keys: str) -> dict[str, Say]:
    """Keys of a kind of chip, each with its word."""
    return {str(key): word(kind, key) for key in keys}
