"""One frozen value with everything that a user can set, and where it was set.

Belongs here: the table of settings, and reading flags, environment and file. Does not: any part
that a setting is for. In doubt: can a user write it outside a policy? Then it is here.
Fast to import: nothing but the standard library, YAML only when there is a file.
"""

from __future__ import annotations

from webhook.settings.resolve import resolve
from webhook.settings.setting import Kind, Setting
from webhook.settings.table import DECISION, TABLE, Settings

__all__ = ["DECISION", "TABLE", "Kind", "Setting", "Settings", "resolve"]
