"""备份与恢复: an office in one file, and back, on either database.

archive    the file: how it is written whole or not at all, and read with nothing taken on trust
saving     a picture of one instant, taken while the office runs
restoring  all of it or nothing; afterwards everything is on hold (aftermath)
"""

from bot.backup.archive import verify_backup
from bot.backup.restoring import restore
from bot.backup.saving import backup

__all__ = ["backup", "restore", "verify_backup"]
