"""post: drafts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import (
    NUMBER,
    acting,
    as_json,
    done,
    drafted,
    instant,
    reading_units,
    say,
    show,
    text_of,
    with_office,
    writing,
)
from bot.cli.speech import Group, keyed, names_of, word
from bot.language import Say

if TYPE_CHECKING:
    from bot.model import Actor, Media
    from bot.office import Office


@click.group(cls=Group)
def post() -> None:
    """稿件 | posts."""


def _fields(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Any:
    """What people say for fields of a template, as field=value."""
    from bot.errors import Invalid

    for one in value:
        if "=" not in one:
            raise Invalid("--set 写作 字段=内容，不是 {words}", words=one)
    return {one.partition("=")[0].strip(): one.partition("=")[2] for one in value}


setting = click.option(
    "--set",
    "said",
    multiple=True,
    callback=_fields,
    help="字段=内容，可多次 | field=value; may repeat",
)
assisted = click.option(
    "--assisted", is_flag=True, help="有模型参与起草，标注 | a model helped to draft it"
)


@post.command("list")
@click.option(
    "--state",
    default="",
    help="只看：草稿、审签中、已签发、已结束 | only draft, in_review, approved, closed",
)
@click.option("--returned", is_flag=True, default=None, help="只看退回的 | what came back only")
@click.option("--search", "words", default="", help="标题里的字 | words of the title")
@click.option("--limit", type=NUMBER, default=50, help="最多几行 | rows at most")
@as_json
@with_office
def post_list(office: Office, state: str, json_: bool, **more: Any) -> None:
    """列出稿件 | the posts."""
    from bot import compose, shapes, shown
    from bot.model import PostState
    from bot.web.words import KINDS

    asked = keyed(state, names_of("post", *PostState))
    with office.db.read() as conn:
        units = reading_units(office, None, conn)
        rows = compose.listing(conn, units, state=asked, **more)
        chips = shown.of_posts(conn, [row["id"] for row in rows])
        found = shapes.posts(conn, rows)
    show(
        found,
        json_,
        "id state kind go_at title",
        words={"state": lambda row: standing(chips[row["id"]]), "kind": KINDS},
        empty=Say("还没有稿件：gongkai post new 拟一篇，或 gongkai post compose 由条目成稿"),
    )


def standing(chip: tuple[str, str, str]) -> str:
    """How a post stands, in a word: by its deliveries, once it has some."""
    kind, state, part = chip
    return f"{word(kind, state)} {part}".strip()


@post.command("show")
@click.argument("post_id", type=NUMBER)
@as_json
@with_office
def post_show(office: Office, post_id: int, json_: bool) -> None:
    """一篇稿件：各账号将发的原文、审签、投递 | one post, as it will be sent."""
    from bot import shapes, shown
    from bot.language import _
    from bot.model import PostKind
    from bot.web.words import ACTS, KINDS

    with office.db.read() as conn:
        found = shapes.post(office, conn, post_id)
        chip = shown.of_posts(conn, [post_id])[post_id]
    if json_:
        say(found, True, "")
        return
    kind, stands = KINDS[found["kind"]], standing(chip)
    click.echo(f"#{post_id} {kind} [{stands}] {found['title'] or _('无题')}")
    click.echo(str(Say("版本 {n}，摘要 {digest}", n=found["number"], digest=found["digest"][:16])))
    if found["body"].get("assisted"):
        click.echo(_("有模型参与起草，正文已标注"))
    if found["kind"] == PostKind.ELSEWHERE:
        click.echo(_("不经本系统发布"))
    if found["why"]:
        click.echo(found["why"])
    for part in found["renditions"]:
        click.echo(f"\n— {part['account']} ({part['part'] + 1})\n{part['payload']['text']}")
        for picture in part["payload"]["media"]:
            click.echo(_picture(picture))
    for finding in found["findings"]:
        where = f"{finding['account']} " if finding.get("account") else ""
        grave, what = word("finding", finding["severity"]), _(finding["message"])
        click.echo(f"! {where}{grave} {finding['rule']}{_('：')}{what}")
    for row in found["deliveries"]:
        said = f"{ACTS[row['act']]} {word('delivery', row['state'])}"
        click.echo(f"> {row['account_key']} {said} {row['url'] or row['why']}".rstrip())


def _picture(of: Mapping[str, Any]) -> str:
    """A picture in a line: its size, and what it shows to who does not see it."""

    size = {"width": of["width"], "height": of["height"], "kb": -(-of["size"] // 1024)}
    alt = " ".join(of["alt"].split()) or Say("没有替代文字")
    return str(Say("［图 {width}×{height}，{kb} KB］{alt}", alt=alt, **size))


@post.command("new")
@click.option("--unit", required=True, help="哪个单位的稿件 | whose post")
@click.option(
    "--account",
    "accounts",
    multiple=True,
    required=True,
    help="发到哪个账号，可多次 | which accounts; may repeat",
)
@click.option("--title", default="", help="标题 | its title")
@click.option("--text", default="", help="正文；- 读标准输入 | its words; - reads standard input")
@click.option("--link", default="", help="原文网址 | where the whole stands")
@click.option(
    "--image",
    "images",
    multiple=True,
    type=(click.Path(exists=True), str),
    help="图片和替代文字，可多次 | a picture and its alternative text; may repeat",
)
@click.option(
    "--at", default=None, help="计划时间，如 2026-11-25 09:30 | planned for, as 2026-11-25 09:30"
)
@click.option("--latest", default=None, help="最迟时间，过了不再发 | the latest moment it may go")
@click.option(
    "--slot",
    default="",
    help="签发后等这个日程的下一个时段 | once signed, it waits for this schedule's next slot",
)
@click.option(
    "--emergency", is_flag=True, help="应急，走两人应急审签 | an emergency: two people sign"
)
@assisted
@as_json
@acting
def post_new(office: Office, actor: Actor, **asked: Any) -> None:
    """拟稿 | draft a post."""
    from bot import compose, people

    text = text_of(asked["text"])
    pictures = _pictures(office, asked["images"])
    body = compose.Body(text.strip(), asked["title"], asked["link"], pictures)
    with office.db.read() as conn:  # large pictures are made to fit before others must wait
        compose.preview(office, conn, body, asked["accounts"])
    with writing(office) as (conn, now):
        made = compose.create(
            office,
            conn,
            now,
            actor,
            unit_id=people.unit_of(conn, asked["unit"])["id"],
            keys=asked["accounts"],
            body=body,
            go_at=instant(office, asked["at"]),
            latest_at=instant(office, asked["latest"]),
            emergency=asked["emergency"],
            assisted=asked["assisted"],
            slot=_slot(office, asked["slot"], asked["unit"]),
        )
    drafted(made, asked["json_"])


def _pictures(office: Office, images: Sequence[tuple[str, str]]) -> tuple[Media, ...]:
    """The files taken in, each with its alternative text."""
    from bot.media import take_picture

    if not images:
        return ()
    with writing(office) as (conn, now):
        return tuple(
            take_picture(office.media, conn, now, Path(p).read_bytes(), Path(p).name, alt)
            for p, alt in images
        )


def _slot(office: Office, key: str, unit: str) -> str:
    """The key of a schedule of the unit's that gives slots; empty for none. Raises ConfigError, Invalid."""
    from bot import schedule
    from bot.errors import Invalid

    if key:
        file = office.config.place(office.config.schedules) / f"{key}.toml"
        made = schedule.load(office, file) if file.exists() else None
        if made is None or made.items or made.unit != unit:
            raise Invalid("单位 {unit} 没有叫 {key} 的时段日程", unit=unit, key=key)
    return key


@post.command("compose")
@click.argument("item_id", type=NUMBER)
@click.option(
    "--template", default="", help="用哪个模板；不写按来源的 | which template; else its source's"
)
@click.option(
    "--account", "accounts", multiple=True, help="发到哪个账号，可多次 | which accounts; may repeat"
)
@setting
@assisted
@as_json
@acting
def post_compose(office: Office, actor: Actor, item_id: int, **asked: Any) -> None:
    """由条目成稿 | draft a post from a catalogue entry."""
    from bot import compose

    with writing(office) as (conn, now):
        words = asked["template"], asked["accounts"], asked["said"]
        made = compose.from_item(
            office, conn, now, actor, item_id, *words, assisted=asked["assisted"]
        )
    drafted(made, asked["json_"])


@post.command("edit")
@click.argument("post_id", type=NUMBER)
@click.option(
    "--text", required=True, help="正文；- 读标准输入 | its words; - reads standard input"
)
@click.option("--title", default=None, help="标题；不写不改 | its title; else as it was")
@assisted
@acting
def post_edit(
    office: Office, actor: Actor, post_id: int, text: str, title: str | None, assisted: bool
) -> None:
    """改稿：成新版本，原审签失效 | a new revision; the sign-off is void."""
    from dataclasses import replace

    from bot import compose

    words = text_of(text)
    with writing(office) as (conn, now):
        row = compose.locked(conn, post_id)
        before = compose.Body.of(compose.current(conn, row)["body"])
        body = replace(before, text=words.strip(), variants={}, assisted=assisted)
        if title is not None:
            body = replace(body, title=title)
        keys = compose.account_keys(conn, row)
        compose.revise(
            office,
            conn,
            now,
            actor,
            post_id,
            row["version"],
            body,
            keys,
            go_at=row["go_at"],
            latest_at=row["latest_at"],
        )
    done(Say("已保存"))


@post.command("move")
@click.argument("post_id", type=NUMBER)
@click.argument("at")
@click.option(
    "--again",
    is_flag=True,
    help="超出签发时段也改，退回审签 | move it beyond what was signed too, to be signed anew",
)
@click.option("--dry-run", is_flag=True, help="只看会怎样，不改 | only say what it would mean")
@as_json
@acting
def post_move(
    office: Office, actor: Actor, post_id: int, at: str, again: bool, dry_run: bool, json_: bool
) -> None:
    """改期；超出签发时段的须重新审签 | to another time; outside of what was signed it is signed anew."""
    from bot.schedule import retiming

    when = instant(office, at)
    assert when is not None
    with writing(office) as (conn, now):
        if dry_run:
            found = retiming.foresee(office, conn, now, actor, post_id, when)
        else:
            found = retiming.move(office, conn, now, actor, post_id, when, agreed=again)
    say(found.json(), json_, "\n".join(str(one) for one in found.says))


@post.command("submit")
@click.argument("post_id", type=NUMBER)
@acting
def post_submit(office: Office, actor: Actor, post_id: int) -> None:
    """送审 | hand it in for review."""
    from bot import review

    with writing(office) as (conn, now):
        review.submit(office, conn, now, actor, post_id)
    done(Say("已送审"))


@post.command("withdraw")
@click.argument("post_id", type=NUMBER)
@click.option("--reason", required=True, help="撤回的原因 | why")
@as_json
@acting
def post_withdraw(office: Office, actor: Actor, post_id: int, reason: str, json_: bool) -> None:
    """撤回已发稿件：另成一稿，须审签 | take a sent post down; the decision is signed like a post."""
    from bot import compose

    with writing(office) as (conn, now):
        made = compose.withdrawal(office, conn, now, actor, post_id, reason)
    drafted(made, json_)


@post.command("repost")
@click.argument("post_id", type=NUMBER)
@click.option(
    "--account",
    "accounts",
    multiple=True,
    required=True,
    help="请哪些账号，可多次 | which accounts; may repeat",
)
@click.option(
    "--by", "until", required=True, help="最迟何时，如 2026-11-25 18:00 | by when: 2026-11-25 18:00"
)
@as_json
@acting
def post_repost(
    office: Office, actor: Actor, post_id: int, accounts: tuple[str, ...], until: str, json_: bool
) -> None:
    """请别的账号转发已发的稿件，各单位自行审签 | ask other units' accounts to repost."""
    from bot import compose, review

    by = instant(office, until)
    with writing(office) as (conn, now):
        made = compose.ask_reposts(office, conn, now, actor, post_id, accounts, by)
        for each in made:
            review.submit(office, conn, now, actor, each)
    say({"posts": made}, json_, " ".join(f"#{each}" for each in made))


@post.command("reposts")
@click.argument("post_id", type=NUMBER)
@as_json
@with_office
def post_reposts(office: Office, post_id: int, json_: bool) -> None:
    """谁已转发 | who was asked to repost it, and who has."""
    from bot import compose

    with office.db.read() as conn:
        compose.one(conn, post_id)
        rows = compose.reposts_of(conn, post_id)
    show(
        rows,
        json_,
        "id account unit state signed delivery_state delivery_sent_at latest_at",
        {"state": Say("审签")},
        {
            "state": "post",
            "signed": lambda row: [one["name"] for one in row["signed"]],
            "delivery_state": "delivery",
        },
        empty=Say("没有请谁转发：gongkai post repost {id} --account … --by …", id=post_id),
    )


@post.command("call-off")
@click.argument("repost_id", type=NUMBER)
@acting
def post_call_off(office: Office, actor: Actor, repost_id: int) -> None:
    """收回还没有签发的转发请求 | take a request to repost back."""
    from bot import compose

    with writing(office) as (conn, now):
        compose.call_off_repost(conn, now, actor, repost_id)
    done(Say("请求已收回"))


@post.command("answer")
@click.argument("reply_id", type=NUMBER)
@click.option(
    "--text", required=True, help="答复的正文；- 读标准输入 | its words; - reads standard input"
)
@assisted
@as_json
@acting
def post_answer(
    office: Office, actor: Actor, reply_id: int, text: str, assisted: bool, json_: bool
) -> None:
    """答复一条评论：成稿送审 | answer a public reply, as a draft."""
    from bot import compose

    with writing(office) as (conn, now):
        made = compose.answer(office, conn, now, actor, reply_id, text, assisted=assisted)
    drafted(made, json_)


@post.command("close")
@click.argument("post_id", type=NUMBER)
@acting
def post_close(office: Office, actor: Actor, post_id: int) -> None:
    """结束一篇不发的稿件 | close a post that is not to go."""
    from bot import compose

    with writing(office) as (conn, now):
        compose.close(conn, now, actor, post_id)
    done(Say("已结束，不再发布"))


COMMANDS = [post]
