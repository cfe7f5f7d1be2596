"""The states and kinds in words, once: for the console, with icon and colour, and for the command line.

Tone: rest, accent, done, attention, stop, unknown (violet, dashed), refer (violet, solid).
Icons are names in static/vendor/tabler-icons/sprite.svg.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.language import Say
from bot.trail.words import OUTCOMES, SIGNED, VERBS

__all__ = ["OUTCOMES", "SIGNED", "VERBS"]


@dataclass(frozen=True)
class Chip:
    word: Say
    icon: str
    tone: str


CHIPS: dict[str, dict[str, Chip]] = {
    "post": {
        "draft": Chip(Say("草稿"), "pencil", "rest"),
        "in_review": Chip(Say("审签中"), "eye-check", "accent"),
        "returned": Chip(Say("已退回"), "arrow-back-up", "attention"),
        "approved": Chip(Say("已签发"), "rubber-stamp", "done"),
        "queued": Chip(Say("待发"), "clock", "accent"),
        "published": Chip(Say("已发布"), "circle-check", "done"),
        "failed": Chip(Say("失败"), "circle-x", "stop"),
        "uncertain": Chip(Say("结果不明"), "help-hexagon", "unknown"),
        "withdrawn": Chip(Say("已撤回"), "eraser", "rest"),
        "missed": Chip(Say("已错过"), "clock-x", "attention"),
        "closed": Chip(Say("已结束"), "lock", "rest"),
    },
    "delivery": {
        "ready": Chip(Say("待发"), "clock", "accent"),
        "sending": Chip(Say("发送中"), "loader-2", "accent"),
        "sent": Chip(Say("已发出"), "circle-check", "done"),
        "uncertain": Chip(Say("结果不明"), "help-hexagon", "unknown"),
        "failed": Chip(Say("失败"), "circle-x", "stop"),
        "cancelled": Chip(Say("已取消"), "ban", "rest"),
        "missed": Chip(Say("已错过"), "clock-x", "attention"),
        "held": Chip(Say("已停发"), "hand-stop", "stop"),
        "by_hand": Chip(Say("待人工发布"), "hand-click", "attention"),
        "after_hold": Chip(Say("待复核"), "hand-stop", "attention"),
    },
    "item": {
        "new": Chip(Say("新到"), "file-plus", "accent"),
        "composed": Chip(Say("已成稿"), "file-check", "done"),
        "skipped": Chip(Say("不发"), "file-minus", "rest"),
    },
    "account": {
        "active": Chip(Say("正常"), "plug-connected", "done"),
        "paused": Chip(Say("已暂停"), "player-pause", "rest"),
        "broken": Chip(Say("已断开"), "plug-x", "stop"),
        "unconnected": Chip(Say("尚未连接"), "plug", "attention"),
    },
    "person": {
        "active": Chip(Say("可登录"), "user", "done"),
        "disabled": Chip(Say("已停用"), "ban", "rest"),
        "asleep": Chip(Say("待核准"), "lock", "attention"),
    },
    "token": {
        "active": Chip(Say("有效"), "check", "done"),
        "ended": Chip(Say("已到期"), "clock-x", "rest"),
        "revoked": Chip(Say("已撤销"), "ban", "rest"),
    },
    "standing": {
        "active": Chip(Say("适用中"), "rubber-stamp", "done"),
        "asleep": Chip(Say("待核对"), "player-pause", "attention"),
        "ended": Chip(Say("已结束"), "lock", "rest"),
    },
    "delegation": {
        "planned": Chip(Say("未开始"), "clock", "rest"),
        "open": Chip(Say("代签中"), "users", "accent"),
        "over": Chip(Say("已到期"), "lock", "rest"),
        "ended": Chip(Say("已终止"), "ban", "rest"),
    },
    "watch": {
        "open": Chip(Say("采集中"), "radar-2", "accent"),
        "closed": Chip(Say("已结束"), "lock", "rest"),
    },
    "reply": {
        "visible": Chip(Say("可见"), "eye", "rest"),
        "edited": Chip(Say("已修改"), "edit", "attention"),
        "removed": Chip(Say("已删除"), "trash", "rest"),
    },
    "occurrence": {
        "planned": Chip(Say("待办"), "clock", "accent"),
        "done": Chip(Say("已办"), "circle-check", "done"),
        "empty": Chip(Say("没有内容"), "circle-dashed", "rest"),
        "missed": Chip(Say("已错过"), "clock-x", "attention"),
        "skipped": Chip(Say("未办"), "ban", "rest"),
        "off": Chip(Say("已跳过"), "ban", "rest"),
    },
    "board": {
        "waiting": Chip(Say("待审核"), "eye-check", "attention"),
        "shown": Chip(Say("已公开"), "eye", "done"),
        "hidden": Chip(Say("不公开"), "ban", "rest"),
        "deleted": Chip(Say("已删除"), "trash", "rest"),
    },
    "finding": {
        "block": Chip(Say("阻止"), "alert-octagon", "stop"),
        "warn": Chip(Say("提醒"), "alert-triangle", "attention"),
        "note": Chip(Say("提示"), "info-circle", "accent"),
    },
    "verdict": {
        "pass": Chip(Say("通过"), "check", "done"),
        "return": Chip(Say("退回"), "arrow-back-up", "attention"),
        "refer": Chip(Say("报请确定"), "arrow-up-right", "refer"),
    },
}
CHIPS["source"] = CHIPS["account"]

KINDS: dict[str, Say] = {
    "notice": Say("通告"),
    "emergency": Say("紧急"),
    "response": Say("答复"),
    "correction": Say("更正"),
    "withdrawal": Say("撤回"),
    "repost": Say("转发"),
    "elsewhere": Say("平台上直接发的"),
}
ACTS: dict[str, Say] = {
    "publish": Say("发布"),
    "edit": Say("修改"),
    "withdraw": Say("撤回"),
    "repost": Say("转发"),
}
SCOPES: dict[str, Say] = {
    "all": Say("全部账号"),
    "unit": Say("单位"),
    "account": Say("账号"),
    "source": Say("来源"),
    "item": Say("条目"),
    "post": Say("稿件"),
}
SOURCES: dict[str, Say] = {
    "feed": Say("订阅源"),
    "page": Say("网页"),
    "table": Say("表格"),
    "folder": Say("文件夹"),
    "hand": Say("手工录入"),
}
SCHEDULES: dict[str, Say] = {"slots": Say("时段"), "items": Say("汇总"), "steps": Say("逐段")}
OVER: dict[str, Say] = {
    "refuse": Say("不送，先改短"),
    "shorten": Say("缩短并留链接"),
    "thread": Say("分几条连发"),
}
USES: dict[str, Say] = {
    "answers": Say("答复评论"),
    "corrections": Say("更正"),
    "updates": Say("应急续报"),
}
DAYS: dict[str, Say] = {
    "off": Say("放假"),
    "weekend": Say("周末"),
    "swapped": Say("调休上班"),
    "unknown": Say("放假安排未录入"),
}


def chip(kind: str, state: str) -> Chip:
    """The chip of a state; one nobody drew yet still reads as its own name."""
    return CHIPS.get(kind, {}).get(state) or Chip(Say("{name}", name=state), "info-circle", "rest")
