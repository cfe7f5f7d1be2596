"""config.toml: what it gives, and how a mistake in it is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from bot.config import Config, SourcePart, check, duration, line_of, load
from bot.errors import ConfigError
from bot.model import Right
from tests.builders import CONFIG

EXAMPLE = Path(__file__).parents[1] / "config.toml"
OPERATING = Path(__file__).parents[1] / "docs" / "operating.md"
WHOLE = """\
zone = "Asia/Urumqi"

[web]
port = 9000

[units.county]
name = "云澜县人民政府办公室"

[[units.county.steps]]
name = "初审"

[[units.county.steps]]
name = "签发"
right = "sign"

[units.health]
name = "云澜县卫生健康局"
parent = "county"

[sources.notices]
unit = "county"
url = "https://www.example.invalid/feed.xml"
every = "30m"
accounts = ["board"]

[accounts.board]
unit = "county"
adapter = "board"

[accounts.board.options]
color = "red"

[workdays]
2027-01-01 = "休 元旦"
2027-01-02 = "班"
"""


def load_text(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")
    return load(file)


def fault(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load_text(tmp_path, text)
    return str(refused.value)


def faulty(tmp_path: Path, old: str, new: str) -> str:
    """What is said when `old` stands as `new` in WHOLE."""
    assert old in WHOLE
    return fault(tmp_path, WHOLE.replace(old, new, 1))


# ---------------------------------------------------------------- what it gives


def test_what_the_file_declares_is_what_is_read(tmp_path: Path) -> None:
    config = load_text(tmp_path, WHOLE)
    assert str(config.tz) == "Asia/Urumqi"
    assert [step.right for step in config.units["county"].steps] == [Right.REVIEW, Right.SIGN]
    assert config.units["health"].steps[-1].name == "签发"  # one step where none is declared
    assert config.sources["notices"].every == timedelta(minutes=30)
    assert config.accounts["board"].options == {"color": "red"}
    assert [mark for _, mark in sorted(config.days.items())] == [(False, "元旦"), (True, "")]


def test_places_are_beside_the_file_wherever_it_is_read_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text(CONFIG, "utf-8")
    monkeypatch.chdir(tmp_path)
    config = load(Path("config.toml"))
    monkeypatch.chdir("/")
    assert config.place("data") == tmp_path / "data"
    assert config.database_url == str(tmp_path / "data" / "gongkai.db")
    assert config.public_url == "http://127.0.0.1:8000"


def test_an_address_with_a_password_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret = "postgresql://office:hunter2@db/gongkai"
    (tmp_path / "url").write_text(secret + "\n")
    config = load_text(tmp_path, '[database]\nurl_file = "url"\n')
    assert config.database_url == secret
    assert "hunter2" not in repr(config)
    gone = load_text(tmp_path, '[database]\nurl_file = "nowhere"\n')
    with pytest.raises(ConfigError, match="读不到"):
        _ = gone.database_url


def test_an_empty_file_is_an_office_with_nothing_in_it(tmp_path: Path) -> None:
    assert load_text(tmp_path, "") == Config(path=tmp_path / "config.toml")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert load_text(tmp_path, "\ufeff" + WHOLE).units


def test_the_demo_is_declared_without_a_mistake() -> None:
    assert load(EXAMPLE).demo.enabled


@pytest.mark.parametrize(
    ("written", "meant"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400), (" 2 h ", 7200), ("0s", 0)],
)
def test_durations(written: str, meant: int) -> None:
    assert duration(written) == timedelta(seconds=meant)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.lists(st.integers())))
def test_whatever_is_no_duration_is_a_mistake_and_no_crash(written: object) -> None:
    try:
        made = duration(written)
    except ValueError as error:
        told = str(error)
    else:
        told = "30s、15m、2h 或 1d" * (made >= timedelta(0))
    assert "30s、15m、2h 或 1d" in told


def keys(model: type[BaseModel]) -> Iterator[str]:
    """Every key that may stand in the file, from the innermost tables out."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        tables = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        for table in tables:
            yield from keys(table)
        if name != "path":
            yield name


def test_every_key_is_documented() -> None:
    words = set(re.findall(r"\w+", OPERATING.read_text("utf-8")))
    assert sorted(set(keys(Config)) - words) == []


# ---------------------------------------------------------------- how a mistake is told

MISTAKES = [
    # an unknown key: its line, and the near one
    ("zone =", "zome =", "第 1 行：不认识的键 zome，是不是 zone"),
    ("port = 9000", "prot = 9000", "第 4 行：不认识的键 web.prot，是不是 port"),
    ("[web]", "[wed]", "第 3 行：不认识的键 wed，是不是 web"),
    (
        '[[units.county.steps]]\nname = "签发"',
        '[[units.county.steps]]\nnaem = "签发"',
        "第 13 行：不认识的键 units.county.steps.1.naem，是不是 name",
    ),
    ('parent = "county"', 'perent = "county"', "第 18 行：不认识的键 units.health.perent，是不是"),
    ("every =", "evry =", "第 23 行：不认识的键 sources.notices.evry，是不是 every"),
    (
        'adapter = "board"',
        'adapter = "board"\nxyzzy = 1',
        "第 29 行：不认识的键 accounts.board.xyzzy",
    ),
    # a value that cannot be
    ('every = "30m"', 'every = "half an hour"', "第 23 行：sources.notices.every 有误：时长写作"),
    ('every = "30m"', "every = 30", "第 23 行：sources.notices.every 有误：时长写作"),
    ('every = "30m"', 'every = "0s"', "第 23 行：sources.notices.every 有误：不能是 0"),
    ('every = "30m"', 'every = "9999999999d"', "第 23 行：sources.notices.every 有误：时长写作"),
    ('"Asia/Urumqi"', '"Asia/Yunlan"', "第 1 行：zone 有误：没有这个时区"),
    ('"Asia/Urumqi"', '"../etc/passwd"', "第 1 行：zone 有误：没有这个时区"),
    ("port = 9000", 'port = "nine"', "第 4 行：web.port 有误：应是整数"),
    ("port = 9000", "port = 99999", "第 4 行：web.port 有误：不能大于 65535"),
    ('zone = "Asia/Urumqi"', 'language = "fr"', "第 1 行：language 有误：只能是 'zh'、'en'"),
    ("accounts = [", "draft = 3\naccounts = [", "第 24 行：sources.notices.draft 有误：应是 true"),
    (
        'accounts = ["board"]',
        'accounts = "board"',
        "第 24 行：sources.notices.accounts 有误：应是列表",
    ),
    ('name = "云澜县卫生健康局"', "name = 3", "第 17 行：units.health.name 有误：应是文字"),
    ('right = "sign"', 'right = "admin"', "第 14 行：units.county.steps.1.right 有误：审次的权限"),
    ('right = "sign"', 'right = "seal"', "第 14 行：units.county.steps.1.right 有误：只能是 "),
    ('\nright = "sign"', "", "第 9 行：units.county.steps 有误：最后一个审次须由签发人办理"),
    ('"班"', '"上班"', "第 33 行：workdays 有误：2027-01-02 写作“休 节名”或“班”"),
    ("2027-01-02", "2027-02-30", "第 35 行：workdays.2027-02-30 有误：应是日期"),
    ("[web]\nport = 9000", "web = 9000", "第 3 行：web 有误：应是一张表"),
    # something missing
    ('adapter = "board"\n', "", "第 26 行：缺少 accounts.board.adapter"),
    ('url = "https://www.example.invalid/feed.xml"\n', "", "第 20 行：缺少 sources.notices.url"),
    (
        '[[units.county.steps]]\nname = "签发"',
        "[[units.county.steps]]",
        "第 12 行：缺少 units.county",
    ),
    # a name of something that is not declared
    (
        '["board"]',
        '["bord"]',
        "第 24 行：sources.notices.accounts 指的 bord 没有声明，是不是 board",
    ),
    ('parent = "county"', 'parent = "city"', "第 18 行：units.health.parent 指的 city 没有声明"),
    (
        'unit = "county"\nadapter',
        'unit = "x"\nadapter',
        "第 27 行：accounts.board.unit 指的 x 没有",
    ),
    (
        'unit = "county"\nurl',
        'unit = "heath"\nurl',
        "第 21 行：sources.notices.unit 指的 heath 没有",
    ),
    ('parent = "county"', 'parent = "health"', "第 18 行：单位 health 成了自己的上级"),
    # not TOML at all
    ("port = 9000", "port 9000", "第 4 行写法有误：键的后面应是等号，写作 键 = 值"),
    ('"班"\n', '"""班', "写法有误：引号没有配对"),
    ("port = 9000", "port ＝ 9000", "写作 键 = 值；这一行用了中文标点 ＝，"),
    (
        'name = "云澜县卫生健康局"',
        "name = “云澜县卫生健康局”",
        "写在引号里，是与否写 true 或 false；",
    ),
    ('name = "云澜县卫生健康局"', "name = 云澜县卫生健康局", "第 17 行写法有误：等号后面的值"),
    ("port = 9000", "port = 9000\nport = 9001", "第 5 行写法有误：这个键前面已经写过"),
    ("[units.health]", "[units.county]", "行写法有误：units.county 前面已经写过"),
    ('["board"]', '["board"', "行写法有误：列表的方括号没有合上"),
    ('"班"\n', '"C:\\data"\n', "行写法有误：双引号里的反斜杠要写两个"),
]


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES, ids=[new for _, new, _ in MISTAKES])
def test_a_mistake_is_told_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    sentence = faulty(tmp_path, old, new)
    assert sentence.startswith("config.toml ")
    assert said in sentence


def test_units_in_a_circle_are_told(tmp_path: Path) -> None:
    circle = WHOLE.replace('name = "云澜县人民政府办公室"', 'name = "县"\nparent = "health"')
    assert "成了自己的上级" in fault(tmp_path, circle)


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gongkai init"):
        load(tmp_path / "config.toml")
    (tmp_path / "config.toml").write_bytes(WHOLE.encode("gb18030"))
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "config.toml")
    with pytest.raises(ConfigError, match="读不到"):
        load(tmp_path)


def test_a_unit_may_be_called_like_a_key(tmp_path: Path) -> None:
    said = fault(tmp_path, '[units.name]\nname = "县"\nparnt = "x"\n')
    assert said == "config.toml 第 3 行：不认识的键 units.name.parnt，是不是 parent"


def test_options_are_found_where_they_stand(tmp_path: Path) -> None:
    """As stages check an adapter's or a source's own options."""
    with pytest.raises(ConfigError) as refused:
        check(
            SourcePart, {"unit": "a"}, Path("config.toml"), WHOLE, ["accounts", "board", "options"]
        )
    assert str(refused.value) == "config.toml 第 30 行：缺少 accounts.board.options.url"


@pytest.mark.parametrize(
    ("source", "keys", "line"),
    [
        ("a.b.c = 1\na.b.d = 2", ["a", "b", "d"], 2),
        ('[a]\nb = 1\n["x.y"]\nb = 2', ["x.y", "b"], 4),
        ("[a]\nc = 1\n[ a . b ]\nc = 2", ["a", "b", "c"], 4),
        ("[a]\n# b = 1\nb = 2", ["a", "b"], 3),
        ("[b]\nname = 1\n[a]\nname = 2", ["a", "name"], 4),
        ("units = { a = { nmae = 1 } }\nb = 1", ["units", "a", "nmae"], 1),
        ("", ["a"], 1),
    ],
)
def test_the_line_of_a_key(source: str, keys: list[str], line: int) -> None:
    assert line_of(source, keys) == line


@given(st.text(alphabet="[]\"'.=ab# \n"), st.lists(st.sampled_from("ab"), max_size=3))
def test_a_line_is_found_in_anything(source: str, keys: list[str]) -> None:
    assert 1 <= line_of(source, keys) <= max(1, len(source.splitlines()))
