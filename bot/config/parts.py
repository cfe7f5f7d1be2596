"""What may stand in config.toml: a class a table, a field a key, each with its rules and its default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time, timedelta
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.errors import ConfigError, reason_of
from bot.language import Say
from bot.model import NoticeKind, Right
from bot.workdays import Hours, clock_time

MOST = 1_000_000_000
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(value: Any) -> timedelta:
    """ "15m", "2h", "1d", "90s", "200ms" → timedelta. Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d{1,6})\s*(ms|[smhd])", str(value).strip())
    if not match:
        raise ValueError(str(Say("时长写作 30s、15m、2h 或 1d，不是 {value}", value=value)))
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


Span = Annotated[timedelta, BeforeValidator(duration)]


def _some(value: timedelta) -> timedelta:
    if not value:
        raise ValueError(str(Say("不能是 0")))
    return value


Period = Annotated[Span, AfterValidator(_some)]


def _hours(value: Any) -> Hours | None:
    if isinstance(value, Hours) or not value:
        return value or None
    try:
        return Hours.of(str(value))
    except ValueError:
        raise ValueError(str(Say("时段写作 22:00-07:00，不是 {value}", value=value))) from None


Quiet = Annotated[Hours | None, BeforeValidator(_hours)]


def _of_day(value: Any) -> time:
    if isinstance(value, time):
        return value
    try:
        return clock_time(str(value))
    except ValueError:
        raise ValueError(str(Say("钟点写作 09:00，不是 {value}", value=value))) from None


Clock = Annotated[time, BeforeValidator(_of_day)]


def _web_address(value: str, otherwise: Say) -> str:
    """As it is written; empty is none. Raises ValueError saying `otherwise`."""
    try:
        parts = urlsplit(value)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if value and not right:
        raise ValueError(str(otherwise))
    return value


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: Any, info: ValidationInfo) -> Any:
        """true is no number, 1 is no yes; and no count of ours goes beyond a thousand million."""
        wanted = cls.model_fields[info.field_name or ""].annotation
        if wanted is int and (isinstance(value, bool) or not isinstance(value, int)):
            raise ValueError(str(Say("应是整数")))
        if wanted is int and value > MOST:
            raise ValueError(str(Say("不能大于 {le}", le=MOST)))
        if wanted in (bool, bool | None) and not isinstance(value, bool | None):
            raise ValueError(str(Say("应是 true 或 false")))
        return value


class Step(Part):
    name: str
    right: Right = Right.REVIEW

    @field_validator("right")
    @classmethod
    def _reviewing(cls, value: Right) -> Right:
        if value not in (Right.REVIEW, Right.SIGN):
            raise ValueError(str(Say("审次的权限只能是 review 或 sign")))
        return value


class UnitPart(Part):
    name: str = Field(min_length=1)
    parent: str = ""
    steps: tuple[Step, ...] = (Step(name="签发", right=Right.SIGN),)

    @field_validator("steps")
    @classmethod
    def _signed_last(cls, value: tuple[Step, ...]) -> tuple[Step, ...]:
        if not value or value[-1].right is not Right.SIGN:
            raise ValueError(str(Say('最后一个审次须由签发人办理：right = "sign"')))
        return value


class ColumnPart(Part):
    """What is done with some columns of a source; what it leaves out is as the source says."""

    columns: tuple[str, ...] = Field(min_length=1)
    name: str = ""  # for people; empty: its columns
    template: str = ""
    accounts: tuple[str, ...] = ()
    draft: bool | None = None
    submit: bool | None = None
    trust: bool | None = None


class SourcePart(Part):
    unit: str
    name: str = ""  # for people; empty: as the catalogue calls itself, else the key
    kind: str = "feed"
    url: str = Field(min_length=1)
    every: Period = timedelta(minutes=15)
    first_poll: str = "seen"  # seen | latest:N | all
    max_new: int = Field(20, ge=0)  # more new entries than this in one poll wait for a person
    max_age: Span = timedelta(days=7)  # older ones wait for a person
    private: bool = False  # the address is on our own network and may be fetched
    template: str = "notice"
    accounts: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()  # only these become drafts; empty is all
    draft: bool = True  # new entries become drafts by themselves
    submit: bool = True  # drafts without a blocking finding go to review by themselves
    trust: bool = True  # a standing sign-off may cover it; False: each post is signed by itself
    rules: tuple[ColumnPart, ...] = ()  # some columns are dealt with otherwise: the first that fits
    fill: Mapping[str, str] = Field(default_factory=dict)
    options: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("first_poll")
    @classmethod
    def _first(cls, value: str) -> str:
        if not re.fullmatch(r"seen|all|latest:\d+", value):
            raise ValueError(str(Say("first_poll 写作 seen、latest:N 或 all")))
        return value

    def of_column(self, column: str) -> SourcePart:
        """The source as it is for entries of one column."""
        rule = next((rule for rule in self.rules if column in rule.columns), None)
        if rule is None:
            return self
        said = rule.model_dump(exclude={"columns", "name"})
        stated = {name: value for name, value in said.items() if value not in (None, "", ())}
        return self.model_copy(update=stated)


class FilingPart(Part):
    """备案 of an account, as it was filed (国办发〔2018〕123号: opening, change and closing are)."""

    registrar: str = ""  # 登记单位
    number: str = ""  # 备案编号
    supervisor: str = ""  # 主管单位
    contact: str = ""  # 联系人


class AccountPart(Part):
    unit: str
    adapter: str
    name: str = ""
    gap: Span = timedelta(0)  # least time between two writes
    slots: tuple[Clock, ...] = ()  # a post without a time takes the next free one
    daily_most: int = Field(0, ge=0)  # of such posts; 0: no bound
    quiet: Quiet = None  # nothing but emergencies goes then
    options: Mapping[str, Any] = Field(default_factory=dict)
    token_file: str = ""  # its credential stands in this file; read at every start
    alt_required: bool = False  # a picture without alternative text is not let through
    reads_per_hour: int = Field(0, ge=0)  # what the platform lets us ask; 0: no bound is known
    duty: bool = True  # told when nothing was published for days ([alarm])
    filing: FilingPart = FilingPart()

    @field_validator("slots")
    @classmethod
    def _in_order(cls, value: tuple[time, ...]) -> tuple[time, ...]:
        return tuple(sorted(set(value)))


class WebPart(Part):
    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8000, ge=0, le=65535)
    public_url: str = ""  # as the public reaches the board; empty: http://host:port
    console_url: str = ""  # as officers reach the console, for links in notices; empty: public_url
    secure_cookies: bool | None = None  # None: where public_url is https
    session: Period = timedelta(hours=12)

    @field_validator("public_url", "console_url")
    @classmethod
    def _addresses(cls, value: str) -> str:
        return _web_address(value, Say("写成完整地址，例：https://www.example.gov.cn"))


class PeoplePart(Part):
    """Who must give a second factor at login (bot.second)."""

    totp: Literal["signers", "all", "optional"] = "optional"


class BoardPart(Part):
    title: str = "公开栏"
    moderate: bool = True  # replies wait for a person
    replies: bool = True
    replies_per_hour: int = Field(10, ge=0)  # from one address
    grey: bool = True  # while 肃穆模式 stands for everything


class CardPart(Part):
    """How the picture of a text looks (bot.compose.cards)."""

    font: str = ""  # a file; empty: a Chinese font of the system's
    colour: str = "#a61b1b"
    logo: str = ""  # a picture, shown beside the publisher
    width: int = Field(1080, ge=480, le=2160)

    @field_validator("colour")
    @classmethod
    def _hexadecimal(cls, value: str) -> str:
        if not re.fullmatch("#[0-9a-fA-F]{6}", value):
            raise ValueError(str(Say("颜色写作 #a61b1b，不是 {value}", value=value)))
        return value


class ComposePart(Part):
    assisted_label: str = "（含人工智能生成内容）"  # stands under what a model helped to draft
    card: CardPart = CardPart()

    @field_validator("assisted_label")
    @classmethod
    def _labels(cls, value: str) -> str:
        """《人工智能生成合成内容标识办法》, GB 45438-2025: both words, in the text itself."""
        if not re.search("人工智能|AI", value) or not re.search("生成|合成", value):
            raise ValueError(str(Say("须有“人工智能”或“AI”，并有“生成”或“合成”")))
        return value.strip()


class DeliverPart(Part):
    lateness: Period = timedelta(hours=2)  # latest moment after the planned time, where none is set
    outage: Span = timedelta(minutes=10)  # no worker for longer: what is overdue waits for a person
    spread: Period = timedelta(days=3)  # a post may wait this long for a slot of its account
    slot_signed_for: Literal["any", "day", "slot"] = (
        "any"  # of a schedule's: what a sign-off binds to
    )
    stage_ahead: Span = timedelta(minutes=5)
    concurrency: int = Field(100, ge=1, le=1000)
    tries: int = Field(5, ge=1)  # handlers that raised, before a person is asked
    looks: tuple[Span, ...] = (
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=10),
    )  # waits between look-ups of an uncertain outcome


class FetchPart(Part):
    proxy: str = ""  # catalogues are fetched by way of it, but for those of our own network

    @field_validator("proxy")
    @classmethod
    def _address(cls, value: str) -> str:
        return _web_address(value, Say("代理写成完整地址，例：http://10.1.2.3:3128"))


class CollectPart(Part):
    days: int = Field(30, ge=1, le=3650)  # a post is watched this long
    every: Period = timedelta(minutes=10)
    fresh: Period = timedelta(minutes=1)  # during the first hours
    fresh_for: Span = timedelta(hours=6)
    rare: Period = timedelta(hours=6)  # at the longest, where nothing was said for long
    full_every: Period = timedelta(hours=6)  # a walk from the start


# 主题分类, first level, as gov.cn's catalogue has it.
TOPICS = (
    "国务院组织机构 综合政务 国民经济管理、国有资产监管 财政、金融、审计 国土资源、能源 "
    "农业、林业、水利 工业、交通 商贸、海关、旅游 市场监管、安全生产监管 城乡建设、环境保护 "
    "科技、教育 文化、广电、新闻出版 卫生、体育 人口与计划生育、妇女儿童工作 劳动、人事、监察 "
    "公安、安全、司法 民政、扶贫、救灾 民族、宗教 对外事务 港澳台侨工作 国防 其他"
)


class QualityPart(Part):
    """When the catalogue's quality is wanting; docs/operating.md says where each figure comes from."""

    required: tuple[
        Literal["title", "publisher", "date", "index_number", "document_number", "summary", "link"],
        ...,
    ] = ("title", "publisher", "date", "index_number", "document_number", "summary")
    columns: tuple[str, ...] = ()  # the office's; empty: any
    topics: tuple[str, ...] = tuple(TOPICS.split())  # first level of 主题分类; empty: any
    stale: Period = timedelta(days=180)
    stale_columns: Mapping[str, Period] = Field(
        default_factory=lambda: {"动态": timedelta(days=14), "要闻": timedelta(days=14)}
    )  # where a column's name holds the word
    days: int = Field(20, ge=1, le=366)  # working days from the day it was formed (条例 art. 26)
    terms: Mapping[str, int] = Field(
        default_factory=lambda: {"行政许可": 7, "行政处罚": 7}
    )  # decisions of that kind (国办发〔2018〕118号)
    warn: int = Field(5, ge=0, le=366)  # working days before the term ends
    history: Span = timedelta(days=90)  # older than the source by more than this: listed apart
    policies: tuple[str, ...] = ("政策文件", "规范性文件")  # words in the names of their columns
    interpretation: int = Field(3, ge=0, le=366)  # working days until a 解读 is due; 0: none is
    lists: tuple[str, ...] = tuple(
        ["名单", "名册", "人员", "对象", "家庭", "学生", "拟录用", "拟聘", "拟任"]
    )
    take_down: int = Field(5, ge=0, le=366)  # working days of a 公示 that names no period


class ScreeningPart(Part):
    severities: Mapping[str, Literal["block", "warn", "note", "off"]] = Field(default_factory=dict)
    lists: tuple[str, ...] = ()  # the office's word lists
    leaders: str = ""  # a file of its leaders in order
    earlier: int = Field(200, ge=0, le=2000)  # how many sent posts of an account a text is held to
    dead_links: bool = False  # are links looked up? Offices on closed networks cannot
    inner_hosts: tuple[str, ...] = ()  # ours and public, but of a private address as seen from here

    @field_validator("severities")
    @classmethod
    def _known_rules(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        if value:
            from bot.screen import RULES  # its patterns take 20 ms: only offices that choose

            for rule in value.keys() - set(RULES):
                near = get_close_matches(rule, RULES, 1, 0.5)
                hint = Say("，是不是 {near}", near=near[0]) if near else ""
                raise ValueError(str(Say("没有规则 {rule}{hint}", rule=rule, hint=hint)))
        return value


class DatabasePart(Part):
    url: str = ""  # empty: data/gongkai.db
    url_file: str = ""  # a file that holds it, where it holds a password


class AuditPart(Part):
    anchor: str = "anchors/audit.log"  # append-only, outside data/
    erasures: str = "anchors/erasures.log"  # likewise: what a restore must erase again


class AlarmPart(Part):
    """When nobody says so, but something is about to go wrong."""

    disk: int = Field(1024, ge=0)  # MB free where the data lies; less is told
    token: tuple[int, ...] = (7, 3, 1)  # days before a credential ends
    idle_warn: int = Field(10, ge=0, le=3650)  # days an account published nothing; 0: never
    idle_fail: int = Field(
        14, ge=0, le=3650
    )  # 国办秘函〔2019〕19号: no update in two weeks fails the check
    duty: bool = True  # whoever is on duty gets what is urgent, and what nobody else gets


class AddressPart(Part):
    """Where notices go: an apprise address, or plain mail."""

    url: SecretStr = SecretStr("")
    url_file: str = ""  # a file that holds it: a backup holds config.toml, and not that file
    to: str | tuple[str, ...] = ""  # mail: to whom
    server: str = ""  # mail: host or host:port; 465 where none is given
    login: str = ""  # mail: as whom; empty: the first of `to`
    password_file: str = ""
    kinds: tuple[NoticeKind, ...] = ()  # only these; empty is all
    units: tuple[str, ...] = ()  # only what concerns these or those below; empty is all
    person: str = ""  # a login: of turns only his own
    language: Literal["zh", "en", ""] = ""
    quiet: Quiet = None  # what can wait does

    @model_validator(mode="after")
    def _one_way(self) -> AddressPart:
        if sum(map(bool, (self.url, self.url_file, self.to))) != 1:
            raise ValueError(str(Say("url、url_file、to 三者写一个")))
        if self.to and not self.server:
            raise ValueError(str(Say("写了 to 还须写 server：邮件服务器")))
        return self

    @property
    def mail_to(self) -> tuple[str, ...]:
        return (self.to,) if isinstance(self.to, str) else self.to


class DemoPart(Part):
    enabled: bool = False


class Config(Part):
    """The office as its file declares it."""

    path: Path = Path("config.toml")
    language: Literal["zh", "en"] = "zh"
    zone: str = "Asia/Shanghai"
    data: str = "data"
    templates: str = "templates"
    schedules: str = "schedules"
    secret_key_file: str = "keys/secret.key"  # noqa: S105 - a path
    web: WebPart = WebPart()
    people: PeoplePart = PeoplePart()
    board: BoardPart = BoardPart()
    database: DatabasePart = DatabasePart()
    compose: ComposePart = ComposePart()
    deliver: DeliverPart = DeliverPart()
    fetch: FetchPart = FetchPart()
    collect: CollectPart = CollectPart()
    screening: ScreeningPart = ScreeningPart()
    quality: QualityPart = QualityPart()
    audit: AuditPart = AuditPart()
    alarm: AlarmPart = AlarmPart()
    demo: DemoPart = DemoPart()
    notices: Mapping[str, AddressPart] = Field(default_factory=dict)
    workdays: Mapping[date, str] = Field(default_factory=dict)  # 2027-01-01 = "休 元旦" or "班"
    units: Mapping[str, UnitPart] = Field(default_factory=dict)
    sources: Mapping[str, SourcePart] = Field(default_factory=dict)
    accounts: Mapping[str, AccountPart] = Field(default_factory=dict)

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(str(Say("没有这个时区，例：Asia/Shanghai"))) from None
        return value

    @cached_property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @field_validator("workdays")
    @classmethod
    def _day_marks(cls, value: Mapping[date, str]) -> Mapping[date, str]:
        for day, mark in value.items():
            if not mark.startswith(("休", "班")):
                raise ValueError(str(Say("{day} 写作“休 节名”或“班”", day=day)))
        return value

    @cached_property
    def days(self) -> dict[date, tuple[bool, str]]:
        """The office's own calendar: day → (works, name)."""
        return {d: (mark[0] == "班", mark[1:].strip()) for d, mark in self.workdays.items()}

    @property
    def root(self) -> Path:
        return self.path.parent

    def place(self, relative: str) -> Path:
        """A path of the file's, made absolute."""
        return (self.root / relative).resolve()

    @property
    def database_url(self) -> str:
        """As bot.db.Database takes it. Raises ConfigError where `url_file` cannot be read."""
        if self.database.url_file:
            return read_text(self.place(self.database.url_file)).strip()
        return self.database.url or str(self.place(self.data) / "gongkai.db")

    @property
    def public_url(self) -> str:
        return (self.web.public_url or f"http://{self.web.host}:{self.web.port}").rstrip("/")

    @property
    def console_url(self) -> str:
        return self.web.console_url.rstrip("/") or self.public_url


def read_text(path: Path) -> str:
    """A file of the office's. Raises ConfigError where it cannot be read as UTF-8."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError("{file} 不是 UTF-8 编码；请另存为 UTF-8", file=path.name) from None
    except OSError as error:
        raise ConfigError("读不到 {file}：{why}", file=str(path), why=reason_of(error)) from None
