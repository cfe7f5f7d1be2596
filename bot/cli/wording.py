"""rules, words, leaders: what screening looks for, and the office's own lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import acting, as_json, handed, say, show, with_office, writing
from bot.cli.speech import Group, Spoken, Wording, listed, names_of, word
from bot.language import Say

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office

of_list = click.option(
    "--list", "name", default="", help="哪个词表；不写用第一个 | which list; else the first"
)


@click.command(cls=Spoken)
@click.option("--columns", is_flag=True, help="各栏目怎么办 | what is done with each column")
@as_json
@with_office
def rules(office: Office, columns: bool, json_: bool) -> None:
    """审查规则：查什么，级别，依据 | the rules of screening as they are set here."""
    from bot import shapes
    from bot.model import Severity

    if columns:
        _columns(office, json_)
        return
    said: dict[str, Wording] = {
        "severities": lambda row: [word("finding", one) for one in row["severities"]],
        "chosen": {"off": Say("不查")} | names_of("finding", *Severity),
    }
    show(shapes.rules(office), json_, "rule name severities chosen says", words=said)


def _columns(office: Office, json_: bool) -> None:
    from bot import shapes

    with office.db.read() as conn:
        found = shapes.columns(office, conn, set(office.config.units))
    heads = {"columns": Say("栏目"), "template": Say("模板"), "accounts": Say("账号")}
    show(found, json_, "source columns template accounts", heads | {"source": Say("来源")})


@click.group(cls=Group)
def words() -> None:
    """词表 | the office's own words."""


@words.command("list")
@of_list
@click.option(
    "--search", "asked", default="", help="词语或建议里的字 | of the term or its suggestion"
)
@as_json
@with_office
def words_list(office: Office, name: str, asked: str, json_: bool) -> None:
    """列出词语、级别、建议、例外 | terms with severity and suggestion, exceptions."""
    from bot import vocabulary

    there = vocabulary.word_list(office.config, name)
    found = vocabulary.shown(there, vocabulary.found(there.lines, asked))
    if json_:
        say(found, True, "")
        return
    if found["wrong"]:
        click.echo(f"! {found['wrong']}")
    show(
        found["rows"],
        False,
        "line words severity suggestion",
        words={
            "severity": lambda row: (
                word("finding", row["severity"]) if row["severity"] else Say("例外")
            )
        },
        empty=Say("词表里没有这样的词语：gongkai words add 加一个"),
    )


@words.command("add")
@click.argument("term")
@click.option(
    "--severity",
    type=click.Choice(["block", "warn", "note"]),
    default="warn",
    help="级别：阻止、提醒、提示 | how grave it is",
)
@click.option("--suggestion", default="", help="建议写作 | what to write instead")
@click.option(
    "--exception", is_flag=True, help="例外：含它的不算 | an exception: what holds it is let pass"
)
@of_list
@as_json
@acting
def words_add(office: Office, actor: Actor, term: str, **asked: Any) -> None:
    """加一个词语；已有的改级别和建议 | add a term, or change it."""
    from bot import vocabulary
    from bot.model import Severity

    there = vocabulary.word_list(office.config, asked["name"])
    known = vocabulary.Line(0, term, Severity(asked["severity"]), asked["suggestion"])
    known = known._replace(exception=asked["exception"])
    known = known._replace(number=vocabulary.number_of(there, known))
    with writing(office) as (conn, now):
        made = vocabulary.put(office, conn, now, actor, there.name, there.digest, known)
    say({"list": there.name, "digest": made}, asked["json_"], f"{there.name} {made[:8]}")


@words.command("remove")
@click.argument("term")
@click.option("--exception", is_flag=True, help="例外 | an exception")
@of_list
@as_json
@acting
def words_remove(office: Office, actor: Actor, term: str, **asked: Any) -> None:
    """删去一个词语 | take a term out."""
    from bot import vocabulary
    from bot.errors import NotFound

    there = vocabulary.word_list(office.config, asked["name"])
    line = vocabulary.Line(0, term, exception=asked["exception"])
    number = vocabulary.number_of(there, line)
    if not number:
        raise NotFound("{list} 里没有“{words}”", list=there.name, words=term)
    with writing(office) as (conn, now):
        made = vocabulary.drop(office, conn, now, actor, there.name, there.digest, number)
    say({"list": there.name, "digest": made}, asked["json_"], f"{there.name} {made[:8]}")


@words.command("import")
@click.argument("file", default="-")
@of_list
@as_json
@acting
def words_import(office: Office, actor: Actor, file: str, name: str, json_: bool) -> None:
    """导入一份词语，一行一个 | add the lines of a file: all or none."""
    from bot import vocabulary

    pasted = handed(file)
    there = vocabulary.word_list(office.config, name)
    with writing(office) as (conn, now):
        words_ = (there.name, there.digest, pasted)
        made = vocabulary.take_in(office, conn, now, actor, *words_)
    told = Say("新加 {n} 个，已有 {k} 个", n=made.added, k=made.known)
    say({"list": there.name, **made._asdict()}, json_, str(told))


@click.command(cls=Spoken)
@as_json
@with_office
def leaders(office: Office, json_: bool) -> None:
    """领导名单，按次序 | the office's leaders, in order."""
    from bot import vocabulary
    from bot.errors import ConfigError

    found = vocabulary.leaders_shown(office.config)
    if json_:
        say(found, True, "")
        return
    if wrong := vocabulary.leaders_file(office.config)[2]:
        raise ConfigError(wrong)
    rows = [row | {"titles": listed(row["titles"])} for row in found["rows"]]
    none = Say("还没有领导名单：请在 config.toml 的 [screening] leaders 里声明一个文件")
    show(rows, False, "name titles", {"name": Say("姓名")}, empty=none)


COMMANDS = [rules, words, leaders]
