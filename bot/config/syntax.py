"""TOML as an office writes it; a mistake is told with file, line and what to write instead."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from bot.errors import ConfigError
from bot.language import Say

_TWICE = r"(?:Cannot (?:declare|redefine|mutate)[^(]*\((?P<key>[^)]*)\)|Duplicate inline.*key '(?P<one>.*)')"
_WHY = {  # by how the standard library says it; the first that matches
    "Invalid statement": Say(
        "既不是“键 = 值”，也不是 [表名]；键名是英文，说明文字前加 #，值里换行须用三个引号"
    ),
    "Expected newline": Say("值写完以后还有多余的内容；一行只写一个键，文字和时刻写在引号里"),
    "Expected '=' after": Say("键的后面应是等号，写作 键 = 值"),
    "Invalid initial character": Say("应有键名；键名用字母、数字和连字符，用汉字须写在引号里"),
    r"Expected '\]": Say("表名的方括号没有合上"),
    _TWICE: Say("{key} 前面已经写过，请合并成一处"),
    "Cannot overwrite": Say("这个键前面已经写过，请留一个"),
    "Unclosed array": Say("列表的方括号没有合上，或列表里缺逗号"),
    "Unclosed inline table": Say("花括号没有合上，或里面缺逗号"),
    r"Unescaped '\\'|Invalid hex|Unicode scalar": Say("双引号里的反斜杠要写两个；路径可改用单引号"),
    r"Unterminated|Illegal character '\\n'|Expected [\"']{1,3}['\"]": Say("引号没有配对"),
    "llegal character|invalid character": Say("有看不见的控制字符，请删去这一行重新输入"),
    "Invalid date": Say("日期写作 2026-11-25，时间写作 2026-11-25T09:30:00"),
    "Invalid value": Say("等号后面的值写得不对：文字写在引号里，是与否写 true 或 false"),
}
_CHINESE_MARKS = re.compile("[“”‘’＝，［］｛｝＃：]")


def read_toml(source: str, file: Path) -> dict[str, Any]:
    """What the text says. Raises ConfigError naming file, line and what to do."""
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise _explained(str(error), source, file) from None
    except RecursionError:  # brackets in brackets without end
        raise ConfigError("{file} 写法有误：{why}", file=file.name, why="[[[…") from None


def _explained(said: str, source: str, file: Path) -> ConfigError:
    lines = source.splitlines()
    at = re.search(r"line (\d+)", said)
    line = int(at[1]) if at else len(lines)
    why: Say | str = next(
        (_filled(w, f) for k, w in _WHY.items() if (f := re.search(k, said))), said
    )
    words = lines[line - 1] if 0 < line <= len(lines) else ""
    if marks := "".join(dict.fromkeys(_CHINESE_MARKS.findall(words.partition("#")[0]))):
        why = Say(
            "{why}；这一行用了中文标点 {marks}，引号、等号、逗号、括号要用英文的",
            why=why,
            marks=marks,
        )
    return ConfigError("{file} 第 {line} 行写法有误：{why}", file=file.name, line=line, why=why)


def _filled(why: Say, found: re.Match[str]) -> Say:
    named = next(filter(None, found.groups()), "")
    return Say(why.text, key=".".join(re.findall(r"[^',\s\"]+", named)))
