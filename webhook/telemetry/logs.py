"""Log lines: one JSON object each, or for a person at a terminal one line of text.

`log.info("what happened", extra={"policy": …})`: the message is constant, what varies are fields.
A field holds a text, a number, a truth value or a list of them. A mapping is never written: what
is a mapping here is a pod or a part of one.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePath
from typing import TextIO

MAX_TEXT = 2048  # a guess: enough for a sentence, too little for a pod
_STANDARD = frozenset(
    # the further ones are set by formatters, by Python 3.12 and by uvicorn
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
)
_encode = json.JSONEncoder(separators=(",", ":")).encode


def set_up_logs(level: str, form: str = "json", stream: TextIO | None = None) -> None:
    """Sends what this whole process logs, and Python's warnings, to `stream` (standard error).

    `level` is debug, info, warning or error; `form` is json, text, or auto: text on a terminal.
    Replaces what was set up before. uvicorn's own lines go the same way (give it no log_config).
    """
    stream = stream or sys.stderr
    text = form == "text" or (form == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    # What a line never shows need not be found out for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class JsonFormatter(logging.Formatter):
    """A record as one line of ASCII JSON: time, level, logger, message, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; whatever is in the record, it is one line and it is JSON."""
        line: dict[str, object] = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        for name, value in _fields(record):
            line.setdefault(name, value)
        if record.exc_info:
            line["traceback"] = _traceback(record)
        return _encode(line)


class TextFormatter(logging.Formatter):
    """A record as one line for a person; only a traceback takes more."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; control characters are escaped, so that no value can forge another one."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        words = [clock, f"{record.levelname.lower():7}", _one_line(_message(record))]
        words += [f"{name}={_word(value)}" for name, value in _fields(record)]
        if record.exc_info:
            words.append("\n" + _traceback(record).rstrip())
        return " ".join(words)


def _message(record: logging.LogRecord) -> str:
    try:
        return _cut(record.getMessage())
    except (TypeError, ValueError, KeyError):  # arguments that do not fit: not worth losing a line
        return _cut(str(record.msg))


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    for name, value in record.__dict__.items():
        if name not in _STANDARD:
            yield name, _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, list | tuple | set | frozenset):
        return [_scalar(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    """A value that JSON has, or one text; a mapping by its type alone, for it may be a pod."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str | BaseException | PurePath | datetime):
        return _cut(str(value))
    return f"<{type(value).__name__}>"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"


def _utc(seconds: float) -> str:
    whole = int(seconds)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{stamp}.{int((seconds - whole) * 1e6):06d}Z"


def _traceback(record: logging.LogRecord) -> str:
    assert record.exc_info is not None
    return "".join(traceback.format_exception(*record.exc_info))[-8 * MAX_TEXT :]


def _word(value: object) -> str:
    if not isinstance(value, str):
        return _encode(value)
    bare = value and not any(sign in value for sign in ' "=') and value.isprintable()
    return value if bare else _encode(value)


def _one_line(text: str) -> str:
    return text if text.isprintable() else _encode(text)[1:-1]
