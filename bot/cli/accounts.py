"""An account in words: what `gongkai account show` says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.cli.base import cell
from bot.cli.speech import listed, names_of, word
from bot.language import Say, _
from bot.model import DeliveryState

FILED = {
    "registrar": Say("登记单位"),
    "number": Say("备案编号"),
    "supervisor": Say("主管单位"),
    "contact": Say("联系人"),
}
CAN = {
    "edit": Say("修改已发"),
    "withdraw": Say("撤回"),
    "repost": Say("转发"),
    "answer": Say("答复"),
}


def told(of: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Of an account as `shapes.account` gives it, row by row: what, and how it stands."""
    return [*_who(of), *_standing(of), *_hours(of["hours"]), *_can(of), *_filed(of["filing"])]


def stands(of: Mapping[Any, Any]) -> str:
    """The state as the console's chip has it: one nobody connected yet says so."""
    return str(of["state"]) if of["identity"] or of["state"] != "active" else "unconnected"


def _who(of: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    who = {k: of[k] for k in ("name", "key", "adapter", "unit")}
    yield _("账号"), Say("{name}（{key}，{adapter}，{unit}）", **who)
    yield _("状态"), word("account", of["state"])
    if of["broken"]:
        yield _("原因"), cell(of["broken"])
    yield _("平台上的身份"), of["identity_name"] or _("尚未连接")
    if of["identity_url"]:
        yield _("网址"), of["identity_url"]
    yield _("令牌期限"), _life(of)
    yield _("最近检查"), of["checked_at"]


def _life(of: Mapping[str, Any]) -> Any:
    if of["token_ends"]:
        ends = {"at": cell(of["token_ends"]), "n": of["token_days"]}
        if of["token_days"] < 0:
            return Say("{at}，已到期", at=ends["at"])
        return Say("{at}，还有 {n} 天", **ends)
    return _("不需要") if of["connecting"] == "none" else _("平台没有说明到期时间")


def _standing(of: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    names = {"person": Say("需要人定"), **names_of("delivery", "held", *DeliveryState)}
    counts = (f"{name} {n}" for state, name in names.items() if (n := of["queue"].get(state)))
    yield _("投递"), _("，").join(counts) or _("无")
    for hold in of["holds"]:
        until = Say("到 {at}", at=cell(hold["until"])) if hold["until"] else _("没有定期限")
        since = {"reason": hold["reason"], "since": cell(hold["since"]), "until": until}
        yield _("停发"), Say("{reason}（{since}，{until}）", **since)


def _hours(hours: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    yield _("时段"), listed(hours["slots"]) or _("不限")
    if free := hours["next_slots"]:
        yield _("空着的时段"), [*free]
    most, gap = hours["daily_most"], round(hours["gap_seconds"])
    yield _("每天最多"), Say("{n} 条", n=most) if most else _("不限")
    yield _("静默时段"), hours["quiet"] or _("无")
    yield _("两条间隔"), Say("至少 {n} 秒", n=gap) if gap else _("不限")


def _can(of: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    can = of["capabilities"] or {}
    if not can:
        return
    limit, pictures = can["text_limit"], can["media_count"]
    yield _("正文"), Say("最多 {n} 字", n=limit) if limit else _("不限")
    yield _("图片"), Say("最多 {n} 张", n=pictures) if pictures else _("不带图片")
    yield _("评论"), _("采集") if can["replies"] != "none" else _("不采集")
    able = listed(what for name, what in CAN.items() if can[name])
    yield _("可以"), able or _("无")


def _filed(filing: Mapping[str, str] | None) -> Iterator[tuple[Any, Any]]:
    if filing is None:
        yield _("账号备案"), _("config.toml 里已没有这个账号")
        return
    for name, what in FILED.items():
        yield what, filing[name] or _("未填写")
