"""What a command says of itself: lines for a person, or log lines where a collector reads them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from loop.refusals import Refusal
from monitoring.logs import logs_are_json, set_up_logs
from settings import SettingsError

#: What a serving image does without.
_LEARNING = ("skl2onnx", "itsdangerous")

log = logging.getLogger("rebento")


def speak_as(process: str) -> None:
    """Sets up the logs of a long-lived process, before its settings are read: their mistakes come in the
    wanted form as well, but one in the form itself, which comes as text."""
    set_up_logs(process, os.environ.get("REBENTO_LOG_FORMAT", "").strip())


def say(line: str) -> None:
    """A line on standard output, or a log line where those are JSON. Raises OSError where it cannot go."""
    if logs_are_json():
        log.info("%s", line.strip())
        return
    print(line, flush=True)


@contextmanager
def ends_in_a_sentence() -> Iterator[None]:
    """A refusal in the block ends the process, as one sentence and exit code 1."""
    try:
        yield
    except (Refusal, SettingsError) as refusal:
        _complain(str(refusal))
        sys.exit(1)
    except ModuleNotFoundError as error:
        if all(find_spec(name) for name in _LEARNING):
            raise  # a mistake of ours
        _complain(
            f"this needs {error.name}, and this installation only serves: do it where everything is "
            "installed (pip install 'rebento[training,web,reporting]'; with Compose `docker compose exec "
            "trainer rebento …`)"
        )
        sys.exit(1)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        _complain(f"{named}{error.strerror or error}")
        sys.exit(1)


def _complain(sentence: str) -> None:
    if logs_are_json():
        log.error("%s", sentence)
        return
    print(f"rebento: {sentence}", file=sys.stderr, flush=True)
