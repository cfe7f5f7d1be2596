"""目录: sources are polled, entries become items.

Identity is the source's key (see sources); a changed digest is a new revision of the item and holds
what was made of it and has not gone. The first successful poll is the baseline. More than `max_new`
new entries in one poll, or one older than `max_age`, wait for a person: a site's redesign floods
nobody. Gone is missing from two whole reads while an older entry is still listed.
"""

from bot.catalog.deciding import bring_back, listing, narrowed, pause, poll_now, skip, take
from bot.catalog.hand import HAND, add, amend, call_back, entries_of, give_back, submit
from bot.catalog.history import changes, posts_of, revisions_of
from bot.catalog.intake import NOT_DRAFTED
from bot.catalog.kept import check
from bot.catalog.polling import poll_due, sync
from bot.catalog.quality import remind
from bot.catalog.trying import Tried, attempt, kinds

__all__ = [
    "HAND",
    "NOT_DRAFTED",
    "Tried",
    "add",
    "amend",
    "attempt",
    "bring_back",
    "call_back",
    "changes",
    "check",
    "entries_of",
    "give_back",
    "kinds",
    "listing",
    "narrowed",
    "pause",
    "poll_due",
    "poll_now",
    "posts_of",
    "remind",
    "revisions_of",
    "skip",
    "submit",
    "sync",
    "take",
]
