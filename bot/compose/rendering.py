"""A body on one account: fitted, screened, and held against what the platform takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, RowMapping

from bot import text
from bot.compose.body import Body, Rendered
from bot.compose.cards import drawn, missing
from bot.compose.occasion import Occasion, occasion_of
from bot.compose.reading import accounts_of
from bot.language import Say
from bot.media import Limits, fitted
from bot.model import (
    PREVIOUS_PART,
    Capabilities,
    Finding,
    Media,
    Outgoing,
    OverLimit,
    Severity,
    Topics,
    Unit,
)
from bot.office import Office
from bot.screen import Context, Rules, about_links, screen
from bot.wordlists import rules_of

ROOM = 2000  # a platform without titles that takes so many units is given the long form too
ALT = 300  # characters of a card's alternative text


def preview(
    office: Office,
    conn: Connection,
    body: Body,
    keys: Sequence[str],
    *,
    go_at: datetime | None = None,
    post: RowMapping | None = None,
) -> list[Rendered]:
    """For each account, exactly what would be sent, at `go_at` or at once.

    `post` is the one the body belongs to: its own earlier texts are no repetition, and its links have
    the parameter by which it is found. Raises NotFound for an unknown account, ConfigError for a
    mistake in the office's word lists.
    """
    rows = accounts_of(conn, keys)
    occasion = occasion_of(office, conn, body, rows, go_at, post)
    post_id = post["id"] if post else None
    return [part for row in rows for part in render(office, body, row, occasion, post_id)]


def render(
    office: Office, body: Body, account: RowMapping, occasion: Occasion, post_id: int | None = None
) -> list[Rendered]:
    """The parts of a body on one account, in order."""
    able = Capabilities.of(account["capabilities"])
    able = able.of_an_answer if account["key"] in body.in_reply_to else able
    whole = body.variants.get(account["key"], body.text)
    mark = partial(_marked, office, body, account, post_id)
    texts = _texts(office, body, able, whole, mark)
    fields = [_outgoing(office, body, account, able, n, *one) for n, one in enumerate(texts)]
    cut = len(texts) > 1 or mark(whole, 0)[0].strip() not in texts[0][0]
    rules = _rules(office, account["id"] in occasion.alt_required)
    found = [
        (
            *_screened(out, rules, occasion.context(account, able, out.media, cut), able),
            *_platform_findings(out, account, able),
        )
        for out in fields
    ]
    found[0] += (*_of_pictures(office, body, fields[0], able, rules), *_of_whole(whole, rules, cut))
    sizes = [text.count(words, able.unit, able.link_weight) for words, _ in texts]
    made = zip(fields, found, sizes, strict=True)
    limits = [(able.of_an_answer if n else able).text_limit for n in range(len(texts))]
    return [Rendered(account, n, *one, limits[n]) for n, one in enumerate(made)]


Mark = Callable[[str, int], tuple[str, str]]  # of a part's text: it and its link, marked


def _marked(
    office: Office, body: Body, account: RowMapping, post_id: int | None, words: str, n: int
) -> tuple[str, str]:
    """A text and its link with the parameter that makes the post findable."""
    name = Capabilities.of(account["capabilities"]).link_parameter
    if post_id is None or not name:
        return words, body.link
    mark = office.secrets.mark(f"{post_id}/{account['id']}/{n}")
    return text.with_parameter(words, body.link, name, mark)


def _texts(
    office: Office, body: Body, able: Capabilities, whole: str, mark: Mark
) -> list[tuple[str, str]]:
    """Of each part its text and its link."""
    rule = body.over_limit or able.over_limit
    label = office.config.compose.assisted_label if body.assisted else ""
    if rule is OverLimit.THREAD:
        parts = _labelled(whole, able, rule, body.link, label)
        return [mark(words, n) for n, words in enumerate(parts)]
    words, link = mark(whole, 0)  # before it is fitted: the parameter takes room, too
    return [(fit, link) for fit in _labelled(words, able, rule, link, label)]


def _labelled(whole: str, able: Capabilities, rule: OverLimit, link: str, label: str) -> list[str]:
    """The texts of the parts; `label` stands under each, whatever had to be shortened: each is read,
    handed on and may fail by itself."""
    whole = whole.replace(label, "").strip() if label else whole
    if not label or not whole:
        return _fitted(whole, able, rule, link)
    under = f"\n{label}"
    less = replace(
        able,
        text_limit=able.text_limit and max(1, able.text_limit - text.count(under, able.unit)),
        answer_limit=able.answer_limit and max(1, able.answer_limit - text.count(under, able.unit)),
        byte_limit=able.byte_limit and max(1, able.byte_limit - len(under.encode())),
    )
    return [f"{words}{under}" for words in _fitted(whole, less, rule, link)]


def _fitted(whole: str, able: Capabilities, rule: OverLimit, link: str) -> list[str]:
    """Never cut silently: what cannot be fitted stays whole and is a finding."""
    try:
        if rule is OverLimit.SHORTEN:
            return [text.fit(whole, able, link)]
        if rule is OverLimit.THREAD:
            parts = able.of_an_answer if text.over(whole, able) else able
            return text.thread(whole, parts, link if able.link_required else "")
    except ValueError:
        pass
    return [whole]


def _outgoing(
    office: Office,
    body: Body,
    account: RowMapping,
    able: Capabilities,
    n: int,
    words: str,
    link: str,
) -> Outgoing:
    answers = body.in_reply_to.get(account["key"], "")
    return Outgoing(
        text=words,
        media=_pictures(office, body, able) if n == 0 else (),
        language=body.language,
        visibility=body.visibility,
        warning=body.warning if able.warning else "",
        link=link,
        in_reply_to=answers if n == 0 else PREVIOUS_PART,
        title=body.title if able.title and n == 0 else "",
    )


def is_long(able: Capabilities) -> bool:
    """Has the whole text room there? Titles show it, or a limit no microblog has."""
    return able.title or able.unit is Unit.NONE or not 0 < able.text_limit < ROOM


def _pictures(office: Office, body: Body, able: Capabilities) -> tuple[Media, ...]:
    """The pictures as this platform takes them; the card where the whole text has no room."""
    own = tuple(fitted(office.media, one, able) for one in body.media)
    if not _shows_card(body, able):
        return own
    return (*own, fitted(office.media, _card(office, body, able), able))


def _shows_card(body: Body, able: Capabilities) -> bool:
    return body.card is not None and not is_long(able) and len(body.media) < able.media_count


def _card(office: Office, body: Body, able: Capabilities) -> Media:
    """The card's picture, in the store. Its alternative text is how the text on it begins."""
    assert body.card is not None
    label = office.config.compose.assisted_label if body.assisted else ""
    content, width, height = drawn(office, body.card, label)
    room = Capabilities(text_limit=min(able.alt_limit or ALT, ALT))
    alt = text.fit("\n".join(filter(None, (body.card.title, body.card.text))), room)
    sha256 = office.media.write(content)
    return Media(sha256, "image/png", len(content), width, height, alt)


def _rules(office: Office, alt_required: bool) -> Rules:
    """The office's; what one of its accounts requires stands above them."""
    rules = rules_of(office.config)
    if not alt_required:
        return rules
    return replace(rules, severities={**rules.severities, "missing-alt": Severity.BLOCK})


def _screened(
    outgoing: Outgoing, rules: Rules, context: Context, able: Capabilities
) -> list[Finding]:
    found = screen(outgoing.text, rules=rules, context=context)
    if outgoing.warning and text.over(outgoing.warning + outgoing.text, able):
        said = Say("内容提示与正文合计超出该平台的字数")  # platforms count both in one limit
        found.append(Finding("over-limit", Severity.BLOCK, 0, 0, "", said.text))
    found += about_links(
        "",
        outgoing.link if outgoing.link not in outgoing.text else "",
        rules=rules,
        context=context,
    )
    around = Context(on=context.on, scheduled=context.scheduled)
    for more in (outgoing.title, outgoing.warning, *(m.alt for m in outgoing.media)):
        found += _without_places(screen(more, rules=rules, context=around))
    return found


def _without_places(found: Sequence[Finding]) -> list[Finding]:
    """A span in another field than the text would mark the wrong place: keep the words only."""
    return [replace(f, start=0, end=0) for f in found]


def _of_whole(whole: str, rules: Rules, cut: bool) -> list[Finding]:
    """What is wrong with the whole and cannot be seen in the pieces it is cut into."""
    found = screen(whole, rules=rules) if cut else []
    return _without_places([f for f in found if f.rule in ("unpaired", "sum")])


def _of_pictures(
    office: Office, body: Body, outgoing: Outgoing, able: Capabilities, rules: Rules
) -> list[Finding]:
    """What stands on the card is screened as the text is; what becomes of each picture."""
    found = []
    if body.card is not None and _shows_card(body, able):
        for words in (body.card.title, body.card.text):
            found += _without_places(screen(words, rules=rules))
        if lacks := missing(office, body.card):
            said = Say("长图的字体里没有这些字，会显示成方框；请换字体").text
            found.append(Finding("card-glyphs", Severity.WARN, 0, 0, lacks, said))
    if (
        able.alt_text
        and able.alt_limit
        and any(len(m.alt) > able.alt_limit for m in outgoing.media)
    ):
        said = Say("替代文字超过该平台的长度").text
        found.append(Finding("alt-limit", Severity.BLOCK, 0, 0, "", said))
    pairs = zip(body.media, outgoing.media, strict=False)
    if any(_was_cropped(*pair, able.media_ratio) for pair in pairs):
        said = Say("图片超出该平台的长宽比，已裁边，请看裁后的图").text
        found.append(Finding("media-cropped", Severity.WARN, 0, 0, "", said))
    return found


def _was_cropped(before: Media, after: Media, ratio: float) -> bool:
    long, short = max(before.width, before.height), min(before.width, before.height)
    return bool(ratio) and long > short * ratio and after != before


def _platform_findings(
    outgoing: Outgoing, account: RowMapping, able: Capabilities
) -> list[Finding]:
    """What the account itself cannot take."""
    said: list[tuple[str, Say]] = []
    if not account["identity"] and not able.by_hand:
        said.append(("unconnected", Say("账号尚未连接，签发前须先连接")))
    if len(outgoing.media) > able.media_count:
        said.append(("media-count", Say("图片多于该平台允许的张数")))
    if any(m.kind not in able.media_kinds for m in outgoing.media):
        said.append(("media-kind", Say("该平台不收这种图片格式")))
    if able.media_bytes and any(m.size > able.media_bytes for m in outgoing.media):
        said.append(("media-bytes", Say("图片超过该平台允许的大小")))
    if any(Limits.of(able).exceeded(one) for one in outgoing.media):
        said.append(("media-measures", Say("图片的尺寸或长宽比超出该平台的限制")))
    if outgoing.visibility not in able.visibilities:
        said.append(("visibility", Say("该平台没有这种可见范围")))
    if outgoing.in_reply_to not in ("", PREVIOUS_PART) and not able.answer:
        said.append(("answer", Say("该平台不能在评论下答复")))
    if not (outgoing.text.strip() or outgoing.media):
        said.append(("empty", Say("正文是空的")))
    if not outgoing.in_reply_to:
        said += _content_rules(outgoing.text, able)
    return [Finding(rule, Severity.BLOCK, 0, 0, "", words.text) for rule, words in said]


def _content_rules(words: str, able: Capabilities) -> Iterator[tuple[str, Say]]:
    """What the platform wants of a post's text; an answer may be freer."""
    links = [words[start:end] for start, end in text.links(words)]
    if able.link_required and not any(text.host_within(li, able.link_domains) for li in links):
        yield "link-domain", Say("该平台要求正文带一个链接，域名须是应用登记的安全域名")
    if able.topic_form is Topics.TAKEN_OUT and text.without_topics(words) != words:
        yield "topic", Say("该平台的接口不收 #话题#，会被去掉，请改写")
