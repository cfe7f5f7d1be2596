"""A platform that a person serves by hand: 微信公众号, 抖音, a Weibo account without an interface.

Publishing gives a `Task`: what to paste, which pictures, which steps. The person's link is the
receipt. What the platform counts and takes stands in the options, so that a text is fitted and
screened for it all the same. `visible` asks only on the hosts the options name, and only for what
an outsider gets: these platforms answer 200 for what was taken down, so a page that says so in
one of `gone_words` is not visible.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from bot.adapters.base import Adapter, Options
from bot.language import Say
from bot.model import (
    Act,
    Capabilities,
    Checked,
    Identity,
    Outgoing,
    OverLimit,
    Receipt,
    Staged,
    Task,
    Topics,
    Unit,
    Visible,
)


class ByHandOptions(Options):
    platform: str  # "微信公众号"
    account: str = ""  # the account's name there
    url: str = ""  # where the person goes to publish
    hosts: tuple[str, ...] = ()  # where its posts may be looked at; the host of `url` always
    text_limit: int = Field(0, ge=0)  # in `unit`s; 0 is none
    unit: Unit = Unit.CHARACTERS
    link_weight: int = Field(0, ge=0)
    over_limit: OverLimit = OverLimit.REFUSE
    title: bool = False  # posts have titles
    topic_form: Topics = Topics.NONE
    media_count: int = Field(9, ge=0)
    media_kinds: tuple[str, ...] = ("image/png", "image/jpeg", "image/gif")
    media_bytes: int = Field(10 * 1024 * 1024, ge=0)
    media_side: int = Field(0, ge=0)  # the longer side in pixels; 0 is none
    media_ratio: float = Field(0, ge=0)  # the longer side to the shorter, at most
    steps: tuple[str, ...] = ()  # this office's own steps, after signing in
    gone_words: tuple[str, ...] = ("已被发布者删除", "此内容因违规无法查看", "该内容已被删除")

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        if url and urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(str(Say("要写 http:// 或 https:// 开头的地址")))
        return url


class ByHand(Adapter):
    name = "byhand"
    label = "人工发布"
    letter = "人"
    grant = "none"
    options: ByHandOptions
    options_model = ByHandOptions
    capabilities = Capabilities(by_hand=True, edit=True, withdraw=True, repost=True, answer=True)

    @classmethod
    def capabilities_of(cls, options: ByHandOptions) -> Capabilities:
        able = cls.capabilities.json() | {
            name: getattr(options, name)
            for name in (
                "text_limit",
                "unit",
                "link_weight",
                "over_limit",
                "title",
                "topic_form",
                "media_count",
                "media_kinds",
                "media_bytes",
                "media_side",
                "media_ratio",
            )
        }
        return Capabilities.of(able)

    async def check(self) -> Checked:
        """Nobody can be asked: the account is who the options say."""
        options = self.options
        name = options.account or options.platform
        identity = Identity(f"{options.platform}/{options.account}", name, options.url)
        return Checked(identity, self.capabilities_of(options))

    async def publish(self, outgoing: Outgoing, staged: Staged, key: str) -> Task:
        return self.task(self.options, Act.PUBLISH, outgoing, Receipt(""))

    async def edit(self, receipt: Receipt, outgoing: Outgoing, staged: Staged, key: str) -> Task:
        return self.task(self.options, Act.EDIT, outgoing, receipt)

    async def withdraw(self, receipt: Receipt, key: str) -> Task:
        return self.task(self.options, Act.WITHDRAW, Outgoing(""), receipt)

    async def repost(self, remote_id: str, key: str) -> Task:
        outgoing = Outgoing("", in_reply_to=remote_id)
        return self.task(self.options, Act.REPOST, outgoing, Receipt(""))

    @classmethod
    def task(cls, options: ByHandOptions, act: str, outgoing: Outgoing, receipt: Receipt) -> Task:
        at = Say("（{url}）", url=options.url) if options.url else ""
        who = Say("用账号“{account}”", account=options.account) if options.account else ""
        enter = Say("{who}登录{platform}{at}。", who=who, platform=options.platform, at=at)
        what = _steps(act, outgoing, _where(receipt))
        return Task("\n\n".join(map(str, (enter, *options.steps, *what))))

    async def visible(self, receipt: Receipt) -> Visible:
        if not self._may_look(receipt.url):
            return Visible.CANNOT_TELL
        answer = await self.client.read(receipt.url)
        gone = any(word in answer.text for word in self.options.gone_words)
        if answer.status in (404, 410) or (answer.status == 200 and gone):
            return Visible.NO
        return Visible.YES if answer.status == 200 else Visible.CANNOT_TELL

    def _may_look(self, url: str) -> bool:
        """A link typed by a person never makes this server ask some other one."""
        hosts = {urlsplit(self.options.url).netloc, *self.options.hosts} - {""}
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and parts.netloc in hosts


def _steps(act: str, outgoing: Outgoing, where: str) -> tuple[Say | str, ...]:
    if act == Act.PUBLISH:
        return (
            Say("发布以下内容："),
            *_contents(outgoing),
            Say("发布后打开这条内容，复制链接，回到任务页登记。"),
        )
    if act == Act.EDIT:
        return (
            Say("把已发的这条改成以下内容：{where}", where=where),
            *_contents(outgoing),
            Say("改好后回到任务页登记；平台不能修改的，请注明，另行处理。"),
        )
    if act == Act.WITHDRAW:
        return (
            Say("删除已发的这条：{where}", where=where),
            Say("删除后刷新页面，确认公众已看不到，再回到任务页登记。"),
        )
    return (
        Say("转发这条：{where}", where=outgoing.in_reply_to),
        Say("转发后复制链接，回到任务页登记。"),
    )


def _contents(outgoing: Outgoing) -> list[Say | str]:
    """What is pasted stands alone between rules, exactly as it was signed."""
    parts: list[Say | str] = []
    if outgoing.in_reply_to:
        parts.append(Say("这是对下面这条的答复：{where}", where=outgoing.in_reply_to))
    if outgoing.title:
        parts.append(Say("标题：{title}", title=outgoing.title))
    if outgoing.warning:
        parts.append(Say("内容提示：{warning}", warning=outgoing.warning))
    parts.append(f"────────\n{outgoing.text}\n────────")
    for i, media in enumerate(outgoing.media, 1):
        size = f"{media.width}×{media.height}"
        said = Say("图片 {i}：{name}，{size}", i=i, name=media.sha256[:12], size=size)
        told = Say("，文字说明：{alt}", alt=media.alt) if media.alt else ""
        parts.append(f"{said}{told}")
    if outgoing.media:
        parts.append(Say("图片在任务页下载，按上面的次序上传。"))
    return parts


def _where(receipt: Receipt) -> str:
    return receipt.url or receipt.remote_id
