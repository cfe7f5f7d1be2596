"""采集: what the public answers comes in, all of it that the platform shows, and is accounted for.

pace       when a watch is read next
hearing    a board of our own says that something was said
sparing    when an account with a small quota is read
polling    which watches are due, the pages of their walks
faults     what a failed poll means
intake     a page becomes rows: new, edited, removed, back again; every reply once
counting   what the platform counts under a post, over time
importing  what came elsewhere: tables, and by hand
tables     such a table, its columns guessed
log        the list with its search, threads, wordings, coverage, heartbeat
exporting  the log as a file
erasing    a citizen's words are erased, and stay erased after a restore
"""

from bot.collect.counting import over_time
from bot.collect.erasing import erase, replay_erasures
from bot.collect.hearing import hear
from bot.collect.importing import add, import_file
from bot.collect.log import coverage, heartbeat, listing, thread, versions
from bot.collect.polling import collect_due

__all__ = [
    "add",
    "collect_due",
    "coverage",
    "erase",
    "hear",
    "heartbeat",
    "import_file",
    "listing",
    "over_time",
    "replay_erasures",
    "thread",
    "versions",
]
