"""Regular expressions: `find` and `findAll`, by RE2 as `matches`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from webhook.expression.library.row import RefusedError, row

# Each of as many matches may look at all of the rest: a million steps, some 5 ms.
MAX_TEXT = 1024


@lru_cache(maxsize=256)
def _pattern(text: str) -> Any:
    import re2  # 15 ms, paid only where it is used

    options = re2.Options()
    options.log_errors = False
    return re2.compile(text, options=options)


def _find(text: str, pattern: str) -> str:
    found = _pattern(pattern).search(text.encode())
    return str(found[0].decode()) if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    if len(text) > MAX_TEXT:
        what = f"the text is longer than the {MAX_TEXT} characters that findAll() looks at"
        raise RefusedError(what)
    result: list[str] = []
    for found in _pattern(pattern).finditer(text.encode()):
        if len(result) == limit:
            break
        result.append(found[0].decode())
    return result


FUNCTIONS = (
    row("find", "string.(string) -> string", _find),
    row("findAll", "string.(string) -> strings", _find_all),
    row("findAll", "string.(string, int) -> strings", _find_all),
)
