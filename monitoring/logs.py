"""One way for all log lines of a process: text for a person, or one JSON object a line for a collector."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

#: Says each request (httpx) or each revision (Alembic); a change of state of ours is said by us.
_TALKATIVE = ("httpx", "httpcore", "alembic", "urllib3")
#: What a library hands over for its own colours.
_NOT_FIELDS = ("color_message", "taskName")
_FIELDS = ("timestamp", "level", "process", "logger", "message", "exception")

log = logging.getLogger("rebento")


_PLACES = re.compile(r"%%|(?:\b(?P<name>[a-z_]+)=)?%[-+ #0]*\d*(?:\.\d+)?[a-z]")


def named_values(template: str, values: Sequence[object]) -> dict[str, str | int | float]:
    """What a message's template calls by name: our lines say `name=%s` of what they speak of.

    >>> named_values("a run ended run=%s seconds=%.1f: %s", ("r-1", 2.25, "kept"))
    {'run': 'r-1', 'seconds': 2.25}
    """
    places = [place for place in _PLACES.finditer(template) if place[0] != "%%"]
    return {
        place["name"]: value if isinstance(value, (int, float)) else str(value)
        for place, value in zip(places, values, strict=False)
        if place["name"] and place["name"] not in _FIELDS
    }


class _Named(logging.Filter):
    """Makes fields of the values that a message names."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str) and isinstance(record.args, tuple):
            for name, value in named_values(record.msg, record.args).items():
                if not hasattr(record, name):
                    setattr(record, name, value)
        return True


class _Lines(logging.StreamHandler[TextIO]):
    """Our handler. Standard error is looked up for each line: whoever replaced it gets the lines."""

    def __init__(self, formatter: logging.Formatter, is_json: bool) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(formatter)
        self.is_json = is_json
        if is_json:
            self.addFilter(_Named())


def set_up_logs(process: str, log_format: str, level: int = logging.INFO) -> None:
    """Sends every line of this process to standard error: ours, the libraries', and Python's warnings.

    `log_format` 'json': one object a line with timestamp (ISO 8601, UTC), level, process, logger, message,
    what the message names (`run=…`), what a call gave as `extra`, and an exception's text; what ends the
    process or a thread is such a line, too. Anything else: text, with the local time. May be called again,
    after a library has set up its own.
    """
    is_json = log_format == "json"
    formatter = _json_formatter(process) if is_json else _text_formatter(process)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    root.addHandler(_Lines(formatter, is_json))
    root.setLevel(level)
    _take_over_from_libraries()
    logging.captureWarnings(True)
    if is_json:
        sys.excepthook = _say_what_ended_the_process
        threading.excepthook = _say_what_ended_a_thread


def logs_are_json() -> bool:
    """Whether this process was told to write JSON lines, so that whoever prints has to log instead."""
    return any(isinstance(one, _Lines) and one.is_json for one in logging.getLogger().handlers)


def _text_formatter(process: str) -> logging.Formatter:
    return logging.Formatter(f"%(asctime)s {process} %(levelname)s %(message)s")


def _json_formatter(process: str) -> logging.Formatter:
    # Not at the top: a process that waits in a few megabytes writes text, mostly.
    from pythonjsonlogger.core import RESERVED_ATTRS
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(
        ["levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
        static_fields={"process": process},
        reserved_attrs=[*RESERVED_ATTRS, *_NOT_FIELDS],
        timestamp=True,
    )


def _take_over_from_libraries() -> None:
    """Handlers that libraries (BentoML, uvicorn) gave to loggers of their own would write another format."""
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            for handler in logger.handlers[:]:
                logger.removeHandler(handler)
            logger.propagate, logger.disabled = True, False
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def _say_what_ended_the_process(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    log.critical("the process ended: %s: %s", kind.__name__, error, exc_info=(kind, error, trace))


def _say_what_ended_a_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_type is SystemExit or arguments.exc_value is None:
        return
    name = arguments.thread.name if arguments.thread else "gone"
    log.critical(
        "the thread %s ended: %s: %s", name, arguments.exc_type.__name__, arguments.exc_value,
        exc_info=(arguments.exc_type, arguments.exc_value, arguments.exc_traceback),
    )  # fmt: skip
