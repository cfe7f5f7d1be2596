"""The states and kinds in words, once: for the console, with icon and colour, and for the command line.

Tone: rest, accent, done, attention, stop, unknown (violet, dashed), refer (violet, solid).
Icons are names in static/vendor/tabler-icons/sprite.svg.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from bot.language import Say


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
SIGNED: dict[str, Say] = {
    "person": Say("本人审签"),
    "standing": Say("常设授权"),
    "offline": Say("线下签批"),
    "emergency": Say("紧急签发"),
}
OUTCOMES: dict[str, Say] = {
    "sent": Say("已发出"),
    "refused": Say("被拒绝"),
    "later": Say("稍后再发"),
    "broken": Say("账号断开"),
    "unknown": Say("结果不明"),
    "absent": Say("查无此文"),
    "dropped": Say("不再发布"),
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
TOKENS: dict[str, Say] = {
    "read": Say("查看"),
    "write": Say("拟稿与报送"),
    "sign": Say("审签"),
    "hold": Say("停发"),
}
DAYS: dict[str, Say] = {
    "off": Say("放假"),
    "weekend": Say("周末"),
    "swapped": Say("调休上班"),
    "unknown": Say("放假安排未录入"),
}


VERBS: dict[str, Say] = {
    "office.backup": Say("备份"),
    "office.restore": Say("恢复备份"),
    "office.rekey": Say("换密钥"),
    "token.create": Say("新建令牌"),
    "token.revoke": Say("撤销令牌"),
    "session.open": Say("登录"),
    "session.end": Say("结束登录"),
    "person.add": Say("新建人员"),
    "person.grant": Say("授予角色"),
    "person.revoke": Say("收回角色"),
    "person.disable": Say("停用人员"),
    "person.enable": Say("启用人员"),
    "person.password": Say("改密码"),
    "person.readmit": Say("恢复后核准人员"),
    "person.reissue": Say("发一次性密码"),
    "person.totp": Say("登记动态口令"),
    "person.totp-reset": Say("取消动态口令"),
    "person.recoveries": Say("换备用码"),
    "person.recovery": Say("用备用码登录"),
    "post.create": Say("成稿"),
    "post.revise": Say("改稿"),
    "post.submit": Say("送审"),
    "post.pass": Say("通过"),
    "post.return": Say("退回"),
    "post.refer": Say("报请确定"),
    "post.revoke": Say("撤销签发"),
    "post.withdraw": Say("建立撤回稿"),
    "post.move": Say("改期"),
    "post.send_back": Say("送回审签"),
    "post.ask_repost": Say("请求转发"),
    "post.close": Say("不再发布"),
    "post.adopt": Say("纳入平台上直接发的内容"),
    "delivery.sent": Say("已发出"),
    "delivery.failed": Say("发送失败"),
    "delivery.uncertain": Say("结果不明"),
    "delivery.missed": Say("已错过"),
    "delivery.overdue": Say("停机期间到点，待人定"),
    "delivery.cancel": Say("取消投递"),
    "delivery.retry": Say("放回队列"),
    "delivery.look": Say("再查一次"),
    "delivery.confirm": Say("核定确已发出"),
    "delivery.absent": Say("核定确未发出"),
    "delivery.drop": Say("决定不再发布"),
    "hold": Say("停发"),
    "resume": Say("解除停发"),
    "hold.declare": Say("宣布肃穆模式"),
    "hold.begin": Say("肃穆模式开始"),
    "hold.withdraw": Say("收回肃穆模式"),
    "hold.let": Say("点名放行"),
    "account.connect": Say("连接账号"),
    "account.check": Say("检查账号"),
    "account.broken": Say("账号断开"),
    "account.pause": Say("暂停账号"),
    "account.activate": Say("恢复账号"),
    "source.pause": Say("暂停来源"),
    "source.poll": Say("现在读来源"),
    "source.try": Say("试读来源"),
    "source.activate": Say("恢复来源"),
    "item.take": Say("放行条目"),
    "item.skip": Say("条目不发"),
    "item.add": Say("手工录入条目"),
    "item.submit": Say("报送材料"),
    "item.return": Say("退回材料"),
    "item.amend": Say("修改条目"),
    "item.call_back": Say("收回材料"),
    "item.bring_back": Say("取回条目"),
    "schedule.run": Say("日程加发一期"),
    "schedule.skip": Say("日程取消一期"),
    "schedule.unskip": Say("恢复取消的一期"),
    "schedule.pause": Say("暂停日程"),
    "schedule.resume": Say("恢复日程"),
    "notice.done": Say("办结提醒"),
    "duty.put": Say("排值班"),
    "delegation.make": Say("委托代签"),
    "delegation.end": Say("终止代签"),
    "delegation.use": Say("代签"),
    "standing.grant": Say("常设签发"),
    "standing.end": Say("终止常设签发"),
    "standing.wake": Say("唤醒常设签发"),
    "reply.import": Say("导入留言"),
    "reply.enter": Say("登记留言"),
    "reply.export": Say("导出评论"),
    "reply.erase": Say("抹除评论"),
    "reply.edited": Say("评论有改动"),
    "reply.removed": Say("评论不再可见"),
    "reply.returned": Say("评论又可见"),
    "board.show": Say("公开留言"),
    "board.hide": Say("不公开留言"),
    "board.keep": Say("留言保留原文"),
    "template.save": Say("改模板"),
    "words.save": Say("改词表"),
    "leaders.save": Say("改领导名单"),
}
_PLACES = {
    "item": "/items/{id}",
    "post": "/posts/{id}",
    "delivery": "/queue/{id}",
    "account": "/accounts#account-{id}",
    "source": "/sources#source-{id}",
    "hold": "/stop#hold-{id}",
    "reply": "/replies/{id}",
    "person": "/people/by-id/{id}",
    "standing": "/standings/{id}",
}

_FILES = {  # what is known by its name
    "template": "/settings/templates/{id}",
    "words": "/settings/words?list={id}",
    "leaders": "/settings/words#leaders",
}


def place(subject: str) -> str:
    """The page of what a trail entry is about (“post:12”); empty where it has none."""
    kind, _, number = subject.partition(":")
    if kind in _FILES:
        return _FILES[kind].format(id=quote(number, safe=""))
    return _PLACES[kind].format(id=number) if kind in _PLACES and number.isdigit() else ""


def chip(kind: str, state: str) -> Chip:
    """The chip of a state; one nobody drew yet still reads as its own name."""
    return CHIPS.get(kind, {}).get(state) or Chip(Say("{name}", name=state), "info-circle", "rest")
