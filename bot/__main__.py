"""`python -m bot` is `gongkai`."""

from bot.cli import main

main()
