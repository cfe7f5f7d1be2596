"""新浪微博.

adapter   who the account is, publishing, looking up
comments  what the public says, under a post and to the account
wire      hosts and calls, the quota, what an answer means
answers   what answers say: codes, odd types, ids, times, texts, listings
options   what an office writes of its application; how it is granted an account
"""

from bot.adapters.weibo.adapter import Weibo

__all__ = ["Weibo"]
