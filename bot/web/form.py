"""What stands in the fields of 写稿: of a post as it stands, and as it came back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, RowMapping

from bot import compose
from bot.compose import Body, Cut
from bot.model import Media, OverLimit
from bot.office import Office
from bot.web import pictures
from bot.web.render import Times
from bot.web.visit import Visit, plain, whole


@dataclass
class Form:
    """What stands in the fields, as typed: times as text, so that a mistake in one stays readable."""

    title: str = ""
    text: str = ""
    link: str = ""
    warning: str = ""
    over_limit: str = ""
    unit: int = 0
    keys: tuple[str, ...] = ()
    variants: dict[str, str] = field(default_factory=dict)
    media: tuple[Media, ...] = ()
    cuts: dict[str, Cut] = field(default_factory=dict)
    explained: dict[str, str] = field(default_factory=dict)
    card: bool = False
    go_at: str = ""
    latest_at: str = ""
    emergency: bool = False
    assisted: bool = False  # once said it stays
    version: int = 0
    language: str = "zh"
    visibility: str = "public"
    in_reply_to: dict[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, str]:
        """The texts, by the names of their fields."""
        return {"text": self.text} | {f"variant-{key}": own for key, own in self.variants.items()}

    @property
    def body(self) -> Body:
        over = OverLimit(self.over_limit) if self.over_limit in list(OverLimit) else None
        return Body(
            text=self.text, title=self.title, link=self.link, media=self.media, over_limit=over,
            language=self.language, visibility=self.visibility, warning=self.warning,
            variants={k: v for k, v in self.variants.items() if k in self.keys},
            in_reply_to=self.in_reply_to, cuts=self.cuts, explained=self.explained,
            assisted=self.assisted,
        )  # fmt: skip


def stored(office: Office, conn: Connection, post: RowMapping) -> Form:
    """The form of a post as it stands."""
    body, times = Body.of(compose.current(conn, post)["body"]), Times(office)
    return Form(
        title=body.title, text=body.text, link=body.link, warning=body.warning,
        over_limit=body.over_limit or "", unit=post["unit_id"],
        keys=tuple(compose.account_keys(conn, post)), variants=dict(body.variants),
        media=body.media, cuts=dict(body.cuts), explained=dict(body.explained),
        card=body.card is not None,
        go_at=times.entry(post["go_at"]), latest_at=times.entry(post["latest_at"]),
        emergency=post["emergency"], assisted=body.assisted, version=post["version"], language=body.language,
        visibility=body.visibility, in_reply_to=dict(body.in_reply_to),
    )  # fmt: skip


def typed(visit: Visit, base: Form) -> Form:
    """The form as it came back; what has no field keeps the stored value."""
    with visit.office.db.read() as conn:
        media, cuts = pictures.typed(conn, visit, base.media, base.cuts)
    variants, because = _named(visit, "variant-"), _named(visit, "because-")
    return replace(
        base, title=visit.field("title"), text=_words(visit, "text"), link=visit.field("link"),
        warning=visit.field("warning"), over_limit=visit.field("over_limit"),
        unit=whole(visit.field("unit")) if visit.field("unit") else base.unit,
        keys=tuple(visit.fields("keys")), go_at=visit.field("go_at"),
        latest_at=visit.field("latest_at"), emergency=bool(visit.field("emergency")),
        assisted=base.assisted or bool(visit.field("assisted")),
        version=whole(visit.field("version") or "0"), variants=_kept_lines(base.variants | variants),
        card=bool(visit.field("card")) if visit.field("card_asked") else base.card,
        media=media, cuts=cuts, explained=_kept_lines(base.explained | because),
    )  # fmt: skip


def _named(visit: Visit, prefix: str) -> dict[str, str]:
    """The texts of fields that begin alike, by what follows."""
    texts = ((k, v) for k, v in visit.form.items() if isinstance(v, str))
    return {k.removeprefix(prefix): v for k, v in texts if k.startswith(prefix)}


def _words(visit: Visit, name: str) -> str:
    """A text as it was typed, with the line ends every platform counts as one."""
    value = visit.form.get(name, "")
    return plain(value).replace("\r\n", "\n").strip() if isinstance(value, str) else ""


def _kept_lines(texts: dict[str, str]) -> dict[str, str]:
    """Accounts' own texts; one that was emptied is the common text again."""
    lines = {key: plain(words).replace("\r\n", "\n").strip() for key, words in texts.items()}
    return {key: words for key, words in lines.items() if words}
