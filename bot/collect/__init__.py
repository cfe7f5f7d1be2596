"""采集: what the public answers comes in, all of it that the platform shows, and is accounted for.

polling    which watches are due, the pages of their walks, what a failure means
sparing    when an account with a small quota is read
intake     a page becomes rows: new, edited, removed, back again; every reply once
log        the list with its search, threads, wordings, coverage, heartbeat
exporting  the log as a file
erasing    a citizen's words are erased, and stay erased after a restore
"""

from bot.collect.erasing import erase, replay_erasures
from bot.collect.log import coverage, heartbeat, listing, thread, versions
from bot.collect.polling import collect_due

__all__ = [
    "collect_due",
    "coverage",
    "erase",
    "heartbeat",
    "listing",
    "replay_erasures",
    "thread",
    "versions",
]
