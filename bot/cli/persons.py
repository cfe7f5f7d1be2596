"""account, user, audit."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import acting, as_json, say, show, with_office, writing

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office


@click.group()
def account() -> None:
    """账号 accounts."""


@account.command("list")
@as_json
@with_office
def account_list(office: Office, json_: bool) -> None:
    """列出账号."""
    from sqlalchemy import select

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
        {
            "key": "键",
            "adapter": "平台",
            "state": "状态",
            "identity_name": "身份",
            "token_ends": "凭据至",
            "idle_since": "没有更新，自",
            "broken": "原因",
        },
    )


@account.command("show")
@click.argument("key")
@as_json
@with_office
def account_show(office: Office, key: str, json_: bool) -> None:
    """一个账号的全部情况 one account whole: identity, credential, hours, holds, queue, 备案."""
    from bot import shapes
    from bot.cli.accounts import facts
    from bot.cli.base import reading_units
    from bot.deliver import accounts

    with office.db.read() as conn:
        row = accounts.by_key(conn, key)
        found = shapes.account(office, conn, row, reading_units(office, None, conn))
    if json_:
        say(found, True, "")
        return
    show(facts(found), False, {"name": "项", "value": "情况"})


@account.command("connect")
@click.argument("key")
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False), help="凭据所在文件")
@click.option("--another", is_flag=True, help="确要换成另一身份")
@as_json
@acting
def account_connect(
    office: Office, actor: Actor, key: str, token_file: str | None, another: bool, json_: bool
) -> None:
    """连接账号：令牌文件，或按提示到平台授权 connect: a token's file, or authorise as prompted."""
    from bot.cli.connecting import connect
    from bot.language import Say

    identity = asyncio.run(connect(office, actor, key, token_file, another))
    done = Say("已连接 {name} {url}", name=identity.name, url=identity.url)
    say(asdict(identity), json_, str(done))


@account.command("check")
@click.argument("key")
@as_json
@acting
def account_check(office: Office, actor: Actor, key: str, json_: bool) -> None:
    """现在检查一次；通过即恢复断开的账号 check now; a pass mends a broken one."""
    from bot.cli.connecting import check_now
    from bot.language import Say

    asyncio.run(check_now(office, actor, key))
    say({"account": key, "state": "active"}, json_, str(Say("正常")))


@account.command("pause")
@click.argument("key")
@acting
def account_pause(office: Office, actor: Actor, key: str) -> None:
    """暂停，队列保留."""
    from bot.deliver import accounts

    with writing(office) as (conn, now):
        accounts.pause(conn, now, actor, key, True)


@account.command("activate")
@click.argument("key")
@acting
def account_activate(office: Office, actor: Actor, key: str) -> None:
    """恢复使用."""
    from bot.deliver import accounts

    with writing(office) as (conn, now):
        accounts.pause(conn, now, actor, key, False)


# ---------------------------------------------------------------- user


@click.group()
def user() -> None:
    """人员 people."""


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
    from bot.language import Say

    return str(Say("{login} 一次性密码 {password}", login=login, password=password))


@user.command("list")
@as_json
@with_office
def user_list(office: Office, json_: bool) -> None:
    """列出人员与角色."""
    from bot import roster

    with office.db.read() as conn:
        found = roster.persons(conn)
    rows = [
        {**one, "totp": bool(one["totp_at"]), **role}
        for one in found
        for role in (one["roles"] or [{"role": None, "unit": None}])
    ]
    kept = ("login", "name", "disabled", "asleep", "totp", "role", "unit")
    columns = {"login": "登录名", "name": "姓名", "unit": "单位", "role": "角色"}
    more = {"disabled": "停用", "asleep": "待核准", "totp": "动态口令"}
    show([{k: row[k] for k in kept} for row in rows], json_, {**columns, **more})


@user.command("units")
@as_json
@with_office
def user_units(office: Office, json_: bool) -> None:
    """列出单位、审次和能办的人 units, their steps and who can fill them."""
    from bot import shapes

    with office.db.read() as conn:
        rows = shapes.staffed(office, conn)
    if not json_:
        rows = [{**row, "steps": _worded(row["steps"])} for row in rows]
    columns = {"key": "键", "name": "单位", "parent": "上级", "steps": "审次", "enough": "配齐"}
    show(rows, json_, columns)


def _worded(steps: list[dict[str, Any]]) -> str:
    return "；".join(f"{s['name']} {'、'.join(s['able']) or '无人'}" for s in steps)


@user.command("add")
@click.argument("login")
@click.option("--name", required=True)
@click.option("--unit", required=True)
@click.option("--role", type=click.Choice(_roles()), required=True)
@as_json
@acting
def user_add(
    office: Office, actor: Actor, login: str, name: str, unit: str, role: str, json_: bool
) -> None:
    """新增人员，给出一次性密码 prints a one-time password."""
    from bot import people
    from bot.model import Role

    with writing(office) as (conn, now):
        password = people.add(conn, now, actor, login, name, unit, Role(role))
    say({"login": login, "password": password}, json_, _one_time(login, password))


@user.command("grant")
@click.argument("login")
@click.option("--unit", required=True)
@click.option("--role", type=click.Choice(_roles()), required=True)
@acting
def user_grant(office: Office, actor: Actor, login: str, unit: str, role: str) -> None:
    """授予角色."""
    from bot import people
    from bot.model import Role

    with writing(office) as (conn, now):
        people.grant(conn, now, actor, login, unit, Role(role))


@user.command("revoke")
@click.argument("login")
@click.option("--unit", required=True)
@click.option("--role", type=click.Choice(_roles()), required=True)
@acting
def user_revoke(office: Office, actor: Actor, login: str, unit: str, role: str) -> None:
    """收回角色."""
    from bot import people
    from bot.model import Role

    with writing(office) as (conn, now):
        people.revoke(conn, now, actor, login, unit, Role(role))


@user.command("disable")
@click.argument("login")
@click.option("--undo", is_flag=True)
@acting
def user_disable(office: Office, actor: Actor, login: str, undo: bool) -> None:
    """停用人员（--undo 恢复）."""
    from bot import people

    with writing(office) as (conn, now):
        people.disable(conn, now, actor, login, not undo)


@user.command("readmit")
@click.argument("login")
@as_json
@acting
def user_readmit(office: Office, actor: Actor, login: str, json_: bool) -> None:
    """恢复备份后核准一人，给出一次性密码 let a person in again after a restore."""
    from bot import people

    with writing(office) as (conn, now):
        password = people.readmit(conn, now, actor, login)
    say({"login": login, "password": password}, json_, _one_time(login, password))


@user.command("reissue")
@click.argument("login")
@as_json
@acting
def user_reissue(office: Office, actor: Actor, login: str, json_: bool) -> None:
    """另发一次性密码，他的登录全部结束 a new one-time password."""
    from bot import people

    with writing(office) as (conn, now):
        password = people.reissue(conn, now, actor, login)
    say({"login": login, "password": password}, json_, _one_time(login, password))


@user.command("totp-reset")
@click.argument("login")
@acting
def user_totp_reset(office: Office, actor: Actor, login: str) -> None:
    """重设动态口令（换了手机、丢了备用码）take a second factor away, to be enrolled anew."""
    from bot import second
    from bot.language import Say

    with writing(office) as (conn, now):
        second.reset(conn, now, actor, login)
    click.echo(str(Say("{login} 的动态口令已取消，下次登录可重新登记", login=login)))


@user.command("sessions")
@click.argument("login")
@as_json
@with_office
def user_sessions(office: Office, login: str, json_: bool) -> None:
    """列出一人的登录 where somebody is signed in."""
    from bot import people, roster

    with office.db.read() as conn:
        person = people.by_login(conn, login)["id"]
        rows = roster.open_sessions(conn, office.db.now(conn), person)
    columns = {"id": "编号", "origin": "地址", "created_at": "登录于", "seen_at": "最近使用"}
    show(rows, json_, {**columns, "ends_at": "到期"})


@user.command("sign-out")
@click.argument("login")
@click.option("--session", default="", help="只结束这一个（编号）this one only")
@as_json
@acting
def user_sign_out(office: Office, actor: Actor, login: str, session: str, json_: bool) -> None:
    """结束一人的登录 end his sessions, or one."""
    from bot import people
    from bot.language import Say

    with writing(office) as (conn, now):
        ended = people.sign_out(conn, now, actor, login, session)
    say({"ended": ended}, json_, str(Say("结束 {n} 个登录", n=ended)))


@user.command("password")
@click.argument("login")
@click.option("--password-file", "new", type=click.File("r"), help="新密码所在文件")
@with_office
def user_password(office: Office, login: str, new: Any) -> None:
    """设置密码（在本机）set a password, on this machine."""
    import getpass

    from bot import people
    from bot.model import Actor

    password = new.read().strip() if new else click.prompt("新密码", hide_input=True)
    with writing(office) as (conn, now):
        shell = Actor(None, f"shell:{getpass.getuser()}", "cli")
        people.set_password(conn, now, shell, login, password)


# ---------------------------------------------------------------- audit


@click.group()
def audit() -> None:
    """留痕 the audit trail."""


@audit.command("list")
@click.option("--limit", default=50)
@click.option("--subject", default="", help="post:12, delivery:3, …")
@as_json
@with_office
def audit_list(office: Office, limit: int, subject: str, json_: bool) -> None:
    """最近的留痕."""
    from sqlalchemy import select

    from bot.db import audits

    query = select(audits).order_by(audits.c.id.desc()).limit(limit)
    if subject:
        query = query.where(audits.c.subject == subject)
    with office.db.read() as conn:
        rows = list(conn.execute(query).mappings())
    columns = {"number": "序号", "at": "时间", "actor": "何人", "verb": "何事", "subject": "对象"}
    show(rows, json_, columns)


@audit.command("verify")
@as_json
@click.pass_context
def audit_verify(context: click.Context, json_: bool) -> None:
    """验证留痕未被改动 exit 1 when it does not hold."""
    from bot import audit as ground
    from bot.cli.base import opened
    from bot.language import Say

    office = opened(context)
    with office.db.write() as conn:
        while ground.seal(conn):
            pass
    with office.db.read() as conn:
        found = ground.verify(conn, ground.anchors(office.anchor))
    holds = Say(
        "已封 {a} 条，与库外存证相符 {b} 处，其间恢复备份 {c} 次，留痕完整",
        a=found.sealed,
        b=found.anchored,
        c=found.restored,
    )
    say(found.json(), json_, "\n".join(map(str, found.faults or (holds,))))
    if found.faults:
        context.exit(1)


COMMANDS = [account, user, audit]
