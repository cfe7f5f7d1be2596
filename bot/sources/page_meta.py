"""网页标签: what a government page says of itself in its <meta> tags.

The tags and which are mandatory: 《政府网站发展指引》 (国办发〔2017〕47号), annex 网页设计规范. Real
pages write them in other case, with a prefix, twice, empty, or with quotation marks that do not
match; so they are read from the source and not from a tree. A name counts in whatever case; but
where the standard's own spelling stands, `description` in lower case is the whole site's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.language import Say
from bot.model import Problem
from bot.sources.plain import is_address, line

SITE = {"SiteName": "site_name", "SiteDomain": "site_domain", "SiteIDCode": "site_id_code"}
COLUMN = {
    "ColumnName": "column_name",
    "ColumnDescription": "column_description",
    "ColumnKeywords": "column_keywords",
    "ColumnType": "column_type",
}
ARTICLE = {"ArticleTitle": "title", "PubDate": "published", "ContentSource": "source"}
OPTIONAL = {
    "Keywords": "keywords",
    "Author": "author",
    "Description": "description",
    "Image": "image",
    "Url": "url",
}
_STANDARD = {
    name.lower(): (name, ours)
    for group in (SITE, COLUMN, ARTICLE, OPTIONAL)
    for name, ours in group.items()
}
_OF_THE_SITE = ("keywords", "description")  # in lower case these are HTML's own
# One whose quotation marks match may hold markup; of any other the next tag is the end.
_META = re.compile(
    r"""<meta\b((?:\s*[\w:-]+\s*=\s*(?:"(?:(?!<meta)[^"])*"|'(?:(?!<meta)[^'])*'|[^\s"'<>]+))++\s*/?(?=>)|[^<]*)""",
    re.I,
)
_NAME = re.compile(
    r"""\b(?:name|property|itemprop|http-equiv)\s*=\s*["']?\s*([^"'<>=]{1,80}?)["'\s/>]""", re.I
)
_END = r"""(?=\s*(?:/?>|\Z|[\w:-]+\s*=\s*["']))"""  # a mark inside the value is not its end
_CONTENT = re.compile(
    rf"""\bcontent\s*=\s*(?:"([^>]*?)"{_END}|'([^>]*?)'{_END}|"([^"]*)"|'([^']*)'|["']?([^"'>]*))""",
    re.I,
)  # the last: marks that do not match
_DOMAIN = re.compile(r"\s*(?:https?://)?((?:[\w-]+\.)+[a-z]{2,}(?::\d+)?)(?![\w.])", re.I)
_PREFIX = re.compile(r"^(?:meta|page)[-_.:](?=\w)", re.I)
_STILL_MARKED = re.compile(r"<|&(?:[a-z]{2,8}|#\d{1,6});", re.I)  # it was escaped twice
# What a site's builder did not fill in: its own mark for the value, or a program's word for none.
_UNFILLED = re.compile(
    r"\s*(?:\{\{.*\}\}|[$#]\{.*\}|\{\$.*\}|<[$%].*[$%]>|\[!?--.*--\]|null|undefined|none|n/a)\s*",
    re.I,
)


@dataclass(frozen=True)
class Tags:
    """`said`: ours → every value given, the standard's own spelling alone where it stands.

    `loose`: ours that nobody spelled as the standard does. `others` holds every name in lower
    case, with its first value.
    """

    said: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)

    def get(self, ours: str) -> str:
        return next(filter(None, self.said.get(ours, ())), "")

    def site(self) -> str:
        """The site's own address by its SiteDomain, the first of several; empty where it is none."""
        found = _DOMAIN.match(self.get("site_domain"))
        return f"http://{found[1].lower()}" if found else ""

    def address(self) -> str:
        """Where an article says it stands; empty where that is relative or only names the site."""
        url = self.get("url") if self.of_article() else ""
        return url if is_address(url) and url.rstrip("/").count("/") > 2 else ""

    def of_article(self) -> bool:
        """A column's template may carry an article's tags, too: its title is then the column's."""
        title = self.get("title")
        if title:
            return title not in (self.get("column_name"), self.get("site_name"))
        return bool(self.get("published")) and not self.of_column()

    def of_column(self) -> bool:
        return bool(self.get("column_name") or self.get("column_type"))

    def problems(self, *groups: dict[str, str]) -> Iterator[Problem]:
        """Which mandatory tags of these groups are not there, or say nothing."""
        wanted = {name: ours for group in groups for name, ours in group.items()}
        missing = [name for name, ours in wanted.items() if ours not in self.said]
        empty = [name for name, ours in wanted.items() if ours in self.said and not self.get(ours)]
        where = str(Say("网页标签"))
        if missing:
            names = "、".join(missing)
            yield Problem(where, str(Say("缺少必选的网页标签：{names}", names=names)))
        if empty:
            names = "、".join(empty)
            yield Problem(where, str(Say("必选的网页标签没有内容：{names}", names=names)))


def read_tags(markup: str) -> Tags:
    """The tags of a page, from its source without comments."""
    spelled: dict[str, list[tuple[str, str]]] = {}
    tags = Tags()
    for name, value in _pairs(markup):
        lower = name.lower()
        if not tags.others.get(lower):
            tags.others[lower] = value
        if lower in _STANDARD:
            spelled.setdefault(lower, []).append((name, value))
    for lower, found in spelled.items():
        standard, ours = _STANDARD[lower]
        own = [value for name, value in found if name == standard]
        final = any(own) or (own and lower in _OF_THE_SITE)
        tags.said[ours] = own if final else [value for _, value in found]
        if not own:
            tags.loose.add(ours)
    return tags


def _pairs(markup: str) -> Iterator[tuple[str, str]]:
    for tag in _META.finditer(markup):
        name, content = _NAME.search(tag[1] + " "), _CONTENT.search(tag[1])
        if name and content:
            value = next((v for v in content.groups() if v is not None), "").removesuffix('"="')
            text = "" if _UNFILLED.fullmatch(value) else line(value)
            yield (
                _PREFIX.sub("", name[1].strip()),
                line(text) if _STILL_MARKED.search(text) else text,
            )
