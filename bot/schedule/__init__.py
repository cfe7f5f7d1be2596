"""排期: the three rhythms of disclosure, one schedule a file in schedules/*.toml.

经常性工作定期公开  `[[when]]`: calendar rules; with `[items]` each time makes one post of what was
                    first seen since the time before, without it gives approved posts their time
阶段性工作逐段公开  `[[step]]`: dated steps towards an end, each with its material, asked for ahead
临时性工作随时公开  no schedule: a post goes as soon as it is signed, or at the time it names

files      a file as a value; its mistakes by line
calendar   when it fires: the office's zone, working days with 调休, no year guessed
planning   the coming days as rows, and the time nobody planned; what is not asked for any more is skipped;
           missing material is told
firing     an occurrence whose turn it is, once: a post, a slot given, or missed
acts       what people do: list, ask what if, run, skip, pause
agenda     what goes out when, by day, as people look at it
retiming   a post at another time, and what that would mean
solemn     what a 肃穆模式 of a period would keep
"""

from bot.schedule.acts import coming, listing, passed_by, pause, run, skip, what_if
from bot.schedule.calendar import times, upcoming
from bot.schedule.files import Schedule, load, load_all, read
from bot.schedule.firing import DONE, EMPTY, fire_due
from bot.schedule.planning import MISSED, OFF, PLANNED, SKIPPED, plan_ahead

__all__ = [
    "DONE",
    "EMPTY",
    "MISSED",
    "OFF",
    "PLANNED",
    "SKIPPED",
    "Schedule",
    "coming",
    "fire_due",
    "listing",
    "load",
    "load_all",
    "passed_by",
    "pause",
    "plan_ahead",
    "read",
    "run",
    "skip",
    "times",
    "upcoming",
    "what_if",
]
