"""Connecting an account: a token handed over in a file, or authorisation out of band."""

from __future__ import annotations

import secrets

import click
from sqlalchemy import RowMapping

from bot.cli.base import handed
from bot.deliver import accounts, connecting
from bot.errors import GongkaiError, Invalid
from bot.language import Say
from bot.model import Actor, Identity
from bot.office import Office
from bot.speaking import build


async def connect(
    office: Office, actor: Actor, key: str, token_file: str | None, another: bool
) -> Identity:
    """Prove the credential and keep it. Raises what `accounts.connect` raises."""
    with office.db.read() as conn:
        row = connecting.asked_for(office, conn, actor, key)
    credential = handed(token_file).strip() if token_file else await _authorise(office, row)
    checked = await accounts.connect(office, actor, key, credential, another=another)
    return checked.identity


async def _authorise(office: Office, row: RowMapping) -> str:
    """A person opens the platform's page, lets us speak for the account, and brings a code back."""
    adapter, state = build(office, row, ""), secrets.token_urlsafe(32)
    try:
        begun = await adapter.connect_begin(adapter.options, adapter.client, state)
        asked = Say(
            "请用该账号登录，在下列页面授权，再把得到的授权码"
            "（或授权后浏览器地址栏里的整个地址）粘贴到这里："
        )
        click.echo(str(asked), err=True)
        click.echo(begun.url, err=True)
        typed = click.prompt(str(Say("授权码")), err=True)
        code = connecting.code_in(str(typed), state)
        return await adapter.connect_finish(adapter.options, adapter.client, begun, code)
    except GongkaiError as error:
        raise Invalid("授权没有完成：{why}", why=error.say) from None
    finally:
        await adapter.client.aclose()


async def check_now(office: Office, actor: Actor, key: str) -> None:
    """Check one account at a person's word; raises Invalid saying what is wrong, NotAllowed."""
    with office.db.write() as conn:
        row = accounts.ask_check(conn, office.db.now(conn), actor, key)
    adapter = build(office, row)
    try:
        wrong = await accounts.check(office, adapter, row["id"])
    finally:
        await adapter.client.aclose()
    if wrong is not None:
        raise Invalid(wrong)
