"""What is sent in. Fields that are not known are refused: a slip of the pen is not left unheard."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from bot.model import HoldScope, OverLimit, Role, Severity, Verdict
from bot.web.api.paging import Words

NO_NUL = r"^[^\x00]*$"  # what no database keeps
Text = Annotated[str, StringConstraints(max_length=20_000, pattern=NO_NUL)]
Line = Annotated[str, StringConstraints(max_length=2_000, pattern=NO_NUL)]
Said = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=NO_NUL)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_NUL)]
Keys = Annotated[list[Key], Field(max_length=100)]
Instant = Annotated[
    str,
    StringConstraints(max_length=40, pattern=NO_NUL),
    Field(description="ISO 8601; without a zone it is the office's: 2026-11-25T09:30"),
]


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 1.0 is 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _day(value: Any) -> Any:
    """As it is written, never a count of seconds."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("2026-12-01")
    return value


Day = Annotated[date, Field(strict=False), BeforeValidator(_day)]
Number = Annotated[int, Field(ge=0, le=10**15), BeforeValidator(_whole)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Was = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]  # "": there was none


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_enum_values=True)


def example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


# ---------------------------------------------------------------- entries


class Entry(Body):
    """An entry of a catalogue, its dates as people write them."""

    model_config = example(
        title="关于做好今冬供暖工作的通知",
        document_number="云政办发〔2026〕18号",
        formed="2026-11-20",
    )

    title: Said
    index_number: Line = ""
    document_number: Line = ""
    publisher: Line = ""
    formed: Line = ""
    published: Line = ""
    column: Line = ""
    topic: Line = ""
    summary: Text = ""
    body: Text = ""
    link: Line = ""


Entries = Annotated[list[Entry], Field(min_length=1, max_length=100)]


class Typed(Body):
    """Entries typed into a unit's own catalogue; with `to`, handed in to another unit's."""

    model_config = example(
        unit="county", entries=[{"title": "关于做好今冬供暖工作的通知", "formed": "2026-11-20"}]
    )

    unit: Key
    to: Key | None = None
    entries: Entries


class Composed(Body):
    """A draft of an entry; template and accounts are its source's where none are named."""

    model_config = example(template="notice", accounts=["board"])

    template: Line = ""
    accounts: Keys = []
    fields: dict[Key, Text] = {}
    assisted: bool = False


# ---------------------------------------------------------------- posts


class Picture(Body):
    """One that was sent in before (POST media)."""

    sha256: Digest
    alt: Line = ""


class Written(Body):
    """What an author writes; an account in `variants` has its own text."""

    accounts: Keys
    title: Line = ""
    text: Text
    link: Line = ""
    media: Annotated[list[Picture], Field(max_length=30)] = []
    language: Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z-]*$")] = "zh"
    visibility: Literal["public", "unlisted", "private"] = "public"
    warning: Line = ""
    over_limit: Annotated[OverLimit, Field(strict=False)] | None = None
    variants: dict[Key, Text] = {}
    assisted: Annotated[bool, Field(description="a model helped to draft it")] = False
    go_at: Instant | None = None
    latest_at: Instant | None = None


class NewPost(Written):
    model_config = example(
        unit="county", accounts=["board"], title="停水通知", text="望江路明日 9 时至 12 时停水。"
    )

    unit: Key
    emergency: bool = False


class Previewed(Written):
    """`post`: the one it belongs to, whose own earlier words are no repetition."""

    model_config = example(accounts=["board"], text="望江路明日 9 时至 12 时停水。")

    post: Number | None = None


class Revised(Written):
    """The post as it is to stand: what is left out is empty, as in a new one.

    `version` is the one its author had in front of him.
    """

    model_config = example(
        version=1, accounts=["board"], title="停水通知", text="望江路明日 9 时至 15 时停水。"
    )

    version: Number
    emergency: bool | None = None


class Reason(Body):
    model_config = example(reason="日期有误")

    reason: Said


class Corrected(Body):
    model_config = example(wrong="9 时至 12 时", right="9 时至 15 时", reason="施工延长")

    wrong: Said
    right: Said
    reason: Line = ""


class Reposted(Body):
    """`by`: when at the latest."""

    model_config = example(accounts=["fire"], by="2026-11-26T18:00")

    accounts: Keys
    by: Annotated[Instant, Field(min_length=1)]


class Entered(Body):
    """`id`: the other side's number for it; `at`: now without; `post`: what it is about."""

    model_config = example(account="hotline", text="几点来水？", author="李先生", id="12345-77")

    account: Key
    text: Annotated[Text, Field(min_length=1)]
    at: Instant | None = None
    id: Line | None = None
    title: Line | None = None
    author: Line | None = None
    url: Line | None = None
    post: Number | None = None


class Moderated(Body):
    model_config = example(word="show")

    word: Literal["show", "hide", "keep"]


class Answer(Body):
    model_config = example(text="您好，供水将于今日 15 时恢复。")

    text: Annotated[Text, Field(min_length=1)]
    assisted: bool = False


# ---------------------------------------------------------------- review and holds


class Decided(Body):
    """One step's word. `digest` is of the revision that was read (GET posts/{id}): no other is signed.

    `behalf`: the login of whom it is signed for, where GET sign says so."""

    model_config = example(verdict="pass", digest="0" * 64, note="同意")

    verdict: Annotated[Verdict, Field(strict=False)]
    digest: Digest
    note: Line = ""
    behalf: Line = ""
    begins: Instant | None = None
    ends: Instant | None = None


class At(Body):
    """When it is to go; at once where no time is given."""

    model_config = example(at="2026-11-25T09:30")

    at: Instant | None = None


class Moved(Body):
    """`version` and `deliveries` as GET posts/{id}/move gave them: what changed since is refused.

    `agreed`: outside of what was signed, too; it is signed anew."""

    model_config = example(at="2026-11-25T15:00", version=3, deliveries=[5], agreed=False)

    at: Annotated[Instant, Field(min_length=1)]
    version: Number | None = None
    deliveries: Annotated[list[Number], Field(max_length=200)] | None = None
    agreed: bool = False


class Occurring(Body):
    """One of its times, as GET schedules or schedules/foreseen give it."""

    model_config = example(at="2026-11-25T09:30")

    at: Annotated[Instant, Field(min_length=1)]


class Delegated(Body):
    """`steps` and `taker` of GET delegations/takers; without `begins` from now on."""

    model_config = example(
        taker="lin", unit="county", steps=["初审"], ends="2026-11-28T18:00", reason="外出开会"
    )

    taker: Key
    unit: Key
    steps: Annotated[list[Key], Field(min_length=1, max_length=50)]
    begins: Instant | None = None
    ends: Annotated[Instant, Field(min_length=1)]
    reason: Said


class Granted(Body):
    """`columns`: of the source's; none is all. `note`: why the unit's other steps are waived."""

    model_config = example(source="notices", ends="2026-12-31T18:00", daily_max=5)

    source: Key
    ends: Annotated[Instant, Field(min_length=1)]
    daily_max: Annotated[int, Field(ge=1, le=10_000)]
    columns: Keys = []
    note: Line = ""


class Resolved(Body):
    """A person's word on a delivery whose outcome is not known, or that he did by hand.

    `sent` with the `link` where it stands; `absent`: it never arrived and goes again (`at`); `drop`.
    """

    model_config = example(word="sent", link="https://weibo.example/1/AbC")

    word: Literal["sent", "absent", "drop"]
    link: Line = ""
    at: Instant | None = None


class Held(Body):
    """`target`: a unit's, account's or source's key, an entry's or post's number; none for all."""

    model_config = example(scope="account", target="board", reason="内容待核实")

    scope: Annotated[HoldScope, Field(strict=False)]
    target: Line = ""
    reason: Said
    passes: Annotated[list[Number], Field(max_length=100)] = []
    until: Instant | None = None


class Declared(Body):
    """`target`: a unit's key; none for all. Without `begins` from now on."""

    model_config = example(
        scope="all", reason="全国哀悼日", begins="2026-12-13T00:00", until="2026-12-14T00:00"
    )

    scope: Literal["all", "unit"]
    target: Line = ""
    reason: Said
    begins: Instant | None = None
    until: Instant
    passes: Annotated[list[Number], Field(max_length=100)] = []


class Let(Body):
    model_config = example(post=7)

    post: Number


class OnDuty(Body):
    model_config = example(unit="county", days={"2026-12-01": "lin"})

    unit: Line
    days: Annotated[dict[Day, Line], Field(max_length=400)]


class TrailExported(Body):
    model_config = example(kind="csv", subject="post:1")

    kind: Literal["csv", "xlsx", "jsonl"]
    subject: Words = ""
    verb: Words = ""
    who: Words = ""


class Exported(Body):
    model_config = example(kind="csv", post=1)

    kind: Literal["csv", "xlsx", "jsonl"]
    post: Number | None = None
    account: Number | None = None
    state: Literal["", "visible", "edited", "removed"] = ""
    whose: Literal["", "public", "own"] = ""
    unanswered: bool = False
    since: Instant | None = None
    until: Instant | None = None
    q: Words = ""


# ---------------------------------------------------------------- administration


class RoleAt(Body):
    model_config = example(unit="county", role="editor")

    unit: Key
    role: Annotated[Role, Field(strict=False)]


class Person(RoleAt):
    """`login`: letters, digits and . _ -"""

    model_config = example(login="sun", name="孙立", unit="county", role="editor")

    login: Key
    name: Said


class Session(Body):
    """Without one, all of them."""

    model_config = example(session="")

    session: Line = ""


class Tried(Body):
    """`kind`: of catalogue, as config.toml names them; without, what the reader takes it for."""

    model_config = example(unit="county", target="https://www.yunlan.example/zwgk/feed.xml")

    unit: Key
    target: Said
    kind: Line = ""


# ---------------------------------------------------------------- what the office writes itself

WholeFile = Annotated[str, StringConstraints(max_length=1_000_000, pattern=NO_NUL)]


class Rewritten(Body):
    """`digest`: of the text that was read; "" where there was none."""

    model_config = example(text="张三\t县长\n", digest="0" * 64)

    text: WholeFile
    digest: Was


class Rehearsed(Body):
    """`text`: other words than those kept; `item`: an entry to fill it with, else samples."""

    model_config = example(accounts=["board"], item=12)

    accounts: Annotated[list[Key], Field(min_length=1, max_length=100)]
    item: Number | None = None
    text: WholeFile | None = None
    fields: dict[Key, Text] = {}


class Screened(Body):
    """`account`: by what this one takes; `scheduled`: it goes out on another day."""

    model_config = example(text="望江路明天停水。", account="board", scheduled=True)

    text: Annotated[Text, Field(min_length=1)]
    account: Line = ""
    scheduled: bool = False


class Dropped(Body):
    """`list`: a file of [screening] lists, the first without; `digest` as GET words gave it."""

    model_config = example(digest="0" * 64, line=3)

    list: Line = ""
    digest: Was
    line: Number


class Term(Dropped):
    """In the place of `line`; 0: a new one. `exception`: what holds it is not found."""

    model_config = example(digest="0" * 64, words="旧称", severity="warn", suggestion="新称")

    line: Number = 0
    words: Line
    severity: Annotated[Severity, Field(strict=False)] = Severity.WARN
    suggestion: Line = ""
    exception: bool = False


class Pasted(Body):
    model_config = example(digest="0" * 64, pasted="旧称\twarn\t新称\n")

    list: Line = ""
    digest: Was
    pasted: WholeFile
