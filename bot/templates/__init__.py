"""The office's templates: Jinja2 files with a short front matter, rendered once per account.

    +++
    name = "征求意见"
    over_limit = "shorten"
    [fields.closes]
    name = "截止日期"
    kind = "date"
    +++
    【{{ column }}】{{ title }}
    {% if closes %}
    {{ closes | chinese_date }}前可提意见。
    {% endif %}
    {{ link }}

Sandboxed; an unknown field is an error that names file, line and field.

reading   the file: front matter, declared fields, what is wrong where
filters   what a template may do with a value
"""

from bot.templates.reading import (
    ADDED,
    ENTRY,
    Template,
    Withheld,
    fields_of_day,
    keys,
    load,
    parse,
    path_of,
)

__all__ = [
    "ADDED",
    "ENTRY",
    "Template",
    "Withheld",
    "fields_of_day",
    "keys",
    "load",
    "parse",
    "path_of",
]
