"""account, user, audit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import NUMBER, acting, as_json, done, say, show, with_office, writing
from bot.cli.speech import Group, listed, word
from bot.language import Say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.model import Actor
    from bot.office import Office


@click.group(cls=Group)
def account() -> None:
    """账号 | accounts."""


@account.command("list")
@as_json
@with_office
def account_list(office: Office, json_: bool) -> None:
    """列出账号 | the accounts."""
    from sqlalchemy import select

    from bot.cli.accounts import stands
    from bot.db import accounts
    from bot.telling.standing import idle_accounts

    secret = {"credential"}
    with office.db.read() as conn:
        rows = conn.execute(select(*(c for c in accounts.c if c.name not in secret))).mappings()
        idle = {row["id"]: row["since"] for row in idle_accounts(office, conn)}
        found = [{**row, "idle_since": idle.get(row["id"])} for row in rows.all()]
    show(
        found,
        json_,
        "key name adapter state identity_name token_ends idle_since broken",
        words={"state": lambda row: word("account", stands(row)), "adapter": _platform},
        empty=Say("还没有账号：在 config.toml 写 [accounts.…]，再 gongkai check"),
    )


def _platform(row: Mapping[Any, Any]) -> str:
    from bot.language import _
    from bot.web.lists import account as told

    return _(told(row).label)


@account.command("show")
@click.argument("key")
@as_json
@with_office
def account_show(office: Office, key: str, json_: bool) -> None:
    """一个账号的全部情况 | one account whole: identity, credential, hours, holds, queue, filing."""
    from bot import shapes
    from bot.cli.accounts import told
    from bot.cli.base import facts, reading_units
    from bot.deliver import accounts

    with office.db.read() as conn:
        row = accounts.by_key(conn, key)
        found = shapes.account(office, conn, row, reading_units(office, None, conn))
    if json_:
        say(found, True, "")
        return
    facts(told(found))


@account.command("connect")
@click.argument("key")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False),
    help="凭据所在文件 | the file that holds the credential",
)
@click.option("--another", is_flag=True, help="确要换成另一身份 | another identity is meant")
@as_json
@acting
def account_connect(
    office: Office, actor: Actor, key: str, token_file: str | None, another: bool, json_: bool
) -> None:
    """连接账号：令牌文件，或按提示到平台授权 | connect: a token's file, or authorise as prompted."""
    from bot.cli.connecting import connect

    identity = asyncio.run(connect(office, actor, key, token_file, another))
    done = Say("已连接 {name} {url}", name=identity.name, url=identity.url)
    say(asdict(identity), json_, str(done))


@account.command("check")
@click.argument("key")
@as_json
@acting
def account_check(office: Office, actor: Actor, key: str, json_: bool) -> None:
    """现在检查一次；通过即恢复断开的账号 | check now; a pass mends a broken one."""
    from bot.cli.connecting import check_now

    asyncio.run(check_now(office, actor, key))
    say({"account": key, "state": "active"}, json_, str(Say("正常")))


@account.command("pause")
@click.argument("key")
@acting
def account_pause(office: Office, actor: Actor, key: str) -> None:
    """暂停，队列保留 | pause it; its queue is kept."""
    from bot.deliver import accounts

    with writing(office) as (conn, now):
        accounts.pause(conn, now, actor, key, True)
    done(Say("已暂停，队列保留"))


@account.command("activate")
@click.argument("key")
@acting
def account_activate(office: Office, actor: Actor, key: str) -> None:
    """恢复使用暂停的账号 | use a paused account again."""
    from bot.deliver import accounts

    with writing(office) as (conn, now):
        accounts.pause(conn, now, actor, key, False)
    done(Say("已恢复"))


# ---------------------------------------------------------------- user


@click.group(cls=Group)
def user() -> None:
    """人员 | people."""


def _roles() -> list[str]:
    return [
        "contributor",
        "editor",
        "reviewer",
        "signer",
        "responder",
        "supervisor",
        "administrator",
    ]


def _one_time(login: str, password: str) -> str:

    return str(Say("{login} 一次性密码 {password}", login=login, password=password))


@user.command("list")
@as_json
@with_office
def user_list(office: Office, json_: bool) -> None:
    """列出人员与角色 | people and their roles."""
    from bot import people, roster

    with office.db.read() as conn:
        found = roster.persons(conn)
    rows = [
        {**one, "totp": bool(one["totp_at"]), **role}
        for one in found
        for role in (one["roles"] or [{"role": None, "unit": None}])
    ]
    kept = ("login", "name", "disabled", "asleep", "totp", "role", "unit")
    show(
        [{k: row[k] for k in kept} for row in rows],
        json_,
        "login name unit role disabled asleep totp",
        {"name": Say("姓名")},
        {"role": people.ROLE_WORDS},
        empty=Say(
            "还没有人员：gongkai user add 登录名 --name 姓名 --unit 单位 --role administrator"
        ),
    )


@user.command("units")
@as_json
@with_office
def user_units(office: Office, json_: bool) -> None:
    """列出单位、审次和能办的人 | units, their steps and who can fill them."""
    from bot import shapes

    with office.db.read() as conn:
        rows = shapes.staffed(office, conn)
    show(
        rows,
        json_,
        "key name parent steps enough",
        {"name": Say("单位")},
        {"steps": lambda row: _able(row["steps"]), "enough": {True: Say("是"), False: Say("否")}},
    )


def _able(steps: list[dict[str, Any]]) -> str:
    """The steps of a unit, each with who can pass it."""
    told = (f"{step['name']} {listed(step['able']) or Say('无人')}" for step in steps)
    return str(Say("；")).join(told)


@user.command("add")
@click.argument("login")
@click.option("--name", required=True, help="姓名 | the name")
@click.option("--unit", required=True, help="单位 | the unit")
@click.option("--role", type=click.Choice(_roles()), required=True, help="角色 | the role")
@as_json
@acting
def user_add(
    office: Office, actor: Actor, login: str, name: str, unit: str, role: str, json_: bool
) -> None:
    """新增人员，给出一次性密码 | add somebody; prints a one-time password."""
    from bot import people
    from bot.model import Role

    with writing(office) as (conn, now):
        password = people.add(conn, now, actor, login, name, unit, Role(role))
    say({"login": login, "password": password}, json_, _one_time(login, password))


@user.command("grant")
@click.argument("login")
@click.option("--unit", required=True, help="单位 | the unit")
@click.option("--role", type=click.Choice(_roles()), required=True, help="角色 | the role")
@acting
def user_grant(office: Office, actor: Actor, login: str, unit: str, role: str) -> None:
    """授予角色 | give a role."""
    from bot import people
    from bot.model import Role

    with writing(office) as (conn, now):
        people.grant(conn, now, actor, login, unit, Role(role))
    done(Say("角色已授予，立即生效"))


@user.command("revoke")
@click.argument("login")
@click.option("--unit", required=True, help="单位 | the unit")
@click.option("--role", type=click.Choice(_roles()), required=True, help="角色 | the role")
@acting
def user_revoke(office: Office, actor: Actor, login: str, unit: str, role: str) -> None:
    """收回角色 | take a role back."""
    from bot import people
    from bot.model import Role

    with writing(office) as (conn, now):
        people.revoke(conn, now, actor, login, unit, Role(role))
    done(Say("角色已收回，立即生效"))


@user.command("disable")
@click.argument("login")
@click.option("--undo", is_flag=True, help="恢复 | let in again")
@acting
def user_disable(office: Office, actor: Actor, login: str, undo: bool) -> None:
    """停用人员（--undo 恢复） | bar somebody (--undo: let in again)."""
    from bot import people

    with writing(office) as (conn, now):
        people.disable(conn, now, actor, login, not undo)
    done(Say("已恢复") if undo else Say("已停用，他的登录全部结束"))


@user.command("readmit")
@click.argument("login")
@as_json
@acting
def user_readmit(office: Office, actor: Actor, login: str, json_: bool) -> None:
    """恢复备份后核准一人，给出一次性密码 | let a person in again after a restore."""
    from bot import people

    with writing(office) as (conn, now):
        password = people.readmit(conn, now, actor, login)
    say({"login": login, "password": password}, json_, _one_time(login, password))


@user.command("reissue")
@click.argument("login")
@as_json
@acting
def user_reissue(office: Office, actor: Actor, login: str, json_: bool) -> None:
    """另发一次性密码，他的登录全部结束 | a new one-time password; his sessions end."""
    from bot import people

    with writing(office) as (conn, now):
        password = people.reissue(conn, now, actor, login)
    say({"login": login, "password": password}, json_, _one_time(login, password))


@user.command("totp-reset")
@click.argument("login")
@acting
def user_totp_reset(office: Office, actor: Actor, login: str) -> None:
    """重设动态口令（换了手机、丢了备用码） | take a second factor away, to be enrolled anew."""
    from bot import second

    with writing(office) as (conn, now):
        second.reset(conn, now, actor, login)
    click.echo(str(Say("{login} 的动态口令已取消，下次登录可重新登记", login=login)))


@user.command("sessions")
@click.argument("login")
@as_json
@with_office
def user_sessions(office: Office, login: str, json_: bool) -> None:
    """列出一人的登录 | where somebody is signed in."""
    from bot import people, roster

    with office.db.read() as conn:
        person = people.by_login(conn, login)["id"]
        rows = roster.open_sessions(conn, office.db.now(conn), person)
    show(
        rows,
        json_,
        "id origin created_at seen_at ends_at",
        {"ends_at": Say("到期")},
        empty=Say("{login} 现在没有登录", login=login),
    )


@user.command("sign-out")
@click.argument("login")
@click.option("--session", default="", help="只结束这一个（编号） | this one only")
@as_json
@acting
def user_sign_out(office: Office, actor: Actor, login: str, session: str, json_: bool) -> None:
    """结束一人的登录 | end his sessions, or one."""
    from bot import people

    with writing(office) as (conn, now):
        ended = people.sign_out(conn, now, actor, login, session)
    say({"ended": ended}, json_, str(Say("结束 {n} 个登录", n=ended)))


@user.command("password")
@click.argument("login")
@click.option(
    "--password-file",
    "new",
    type=click.File("r"),
    help="新密码所在文件 | the file that holds the new one",
)
@with_office
def user_password(office: Office, login: str, new: Any) -> None:
    """设置密码（在本机） | set a password, on this machine."""
    import getpass

    from bot import people
    from bot.model import Actor

    password = new.read().strip() if new else click.prompt(str(Say("新密码")), hide_input=True)
    with writing(office) as (conn, now):
        shell = Actor(None, f"shell:{getpass.getuser()}", "cli")
        people.set_password(conn, now, shell, login, password)
    done(Say("{login} 的密码已改", login=login))


# ---------------------------------------------------------------- audit


@click.group(cls=Group)
def audit() -> None:
    """留痕 | the audit trail."""


def _narrowed(command: Callable[..., Any]) -> Callable[..., Any]:
    """What the trail is narrowed to, here and when it is taken out."""
    for option in (
        click.option("--who", default="", help="何人，姓名 | the actor's name"),
        click.option(
            "--verb",
            default="",
            help="何事，可只写开头：post.pass、post. … | the act, or how it begins: post.pass, post., …",
        ),
        click.option(
            "--subject",
            default="",
            help="对象：post:12、delivery:3 … | of one thing: post:12, delivery:3, …",
        ),
    ):
        command = option(command)
    return command


@audit.command("list")
@click.option("--limit", type=NUMBER, default=50, help="最多几行 | rows at most")
@_narrowed
@as_json
@acting
def audit_list(office: Office, actor: Actor, limit: int, json_: bool, **filters: str) -> None:
    """最近的留痕，用文字；--json 照封存的原样 | the newest entries, in words; --json as they were sealed."""
    from bot import trail

    with office.db.read() as conn:
        trail.require(conn, actor)
        rows = trail.listing(conn, filters, limit)
        shown: list[Any] = [
            {
                **one.row,
                "number": one.row["number"] or Say("待编号"),
                "act": one.act,
                "about": one.about,
                "details": "；".join(map(str, one.details)),
            }
            for one in trail.in_words(office, conn, actor, [] if json_ else rows)
        ]
    heads = {
        "number": Say("序号"),
        "actor": Say("何人"),
        "act": Say("何事"),
        "about": Say("对象"),
        "details": Say("详情"),
    }
    columns = "number at actor act about details"
    show(rows if json_ else shown, json_, columns, heads, empty=Say("没有这样的留痕"))


@audit.command("export")
@_narrowed
@click.option("--csv", type=click.Path(dir_okay=False), help="导出 CSV | a CSV file")
@click.option("--xlsx", type=click.Path(dir_okay=False), help="导出 XLSX | an XLSX file")
@click.option(
    "--jsonl",
    type=click.Path(dir_okay=False),
    help="导出 JSON Lines，逐条照原样 | JSON Lines, each entry as sealed",
)
@acting
def audit_export(
    office: Office, actor: Actor, subject: str, verb: str, who: str, **files: str | None
) -> None:
    """导出留痕，导出本身也留痕 | the trail as files; that it was taken out is on record."""
    import shutil

    from bot import trail
    from bot.errors import Invalid

    wanted = [(kind, file) for kind, file in files.items() if file]
    if not wanted:
        raise Invalid("请指明导出到哪个文件：--csv、--xlsx 或 --jsonl")
    filters = {"subject": subject, "verb": verb, "who": who}
    for kind, file in wanted:
        with trail.taken_out(office, actor, kind, filters) as found, Path(file).open("wb") as out:
            shutil.copyfileobj(found, out)
        click.echo(file)


@audit.command("verify")
@as_json
@click.pass_context
def audit_verify(context: click.Context, json_: bool) -> None:
    """验证留痕未被改动；不完整时以 1 结束 | exit 1 when it does not hold."""
    from bot import audit as ground
    from bot.cli.base import opened

    office = opened(context)
    with office.db.write() as conn:
        while ground.seal(conn):
            pass
    with office.db.read() as conn:
        found = ground.verify(conn, ground.anchors(office.anchor))
    told = (found.verdict(), *found.faults, *found.says(office.config.tz))
    say(found.json() | {"whole": found.whole}, json_, "\n".join(map(str, told)))
    if found.faults:
        context.exit(1)


COMMANDS = [account, user, audit]
