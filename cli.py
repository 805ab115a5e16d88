"""The `rebento` command: how it begins and ends. Its parts lie in `commands`."""

from __future__ import annotations

import sys

from loop.stopping import Stopped, leave_at_once_when_told
from runner.priority import at_low_priority, make_way

#: What `rebento up` starts beside the API: what they import must not hold up the first answers.
_BESIDE = (("trainer",), ("reporter",), ("web",), ("grafana", "watch"))
#: What runs until it is told to stop, in a container perhaps.
_LONG_LIVED = (("up",), ("serve",), *_BESIDE)


def main() -> None:
    """Entry point: a refusal is one sentence and exit code 1."""
    asked = tuple(sys.argv[1:])
    if any(asked[: len(one)] == one for one in _LONG_LIVED):
        leave_at_once_when_told()  # before the imports below, which take half a second and more
    if asked[:1] == ("trainer",):
        make_way()  # and stays so
    elif any(asked[: len(one)] == one for one in _BESIDE):
        at_low_priority(_load_commands)
    from commands.speech import ends_in_a_sentence

    with ends_in_a_sentence():
        try:
            if _is_plain_check(asked):
                from commands.healthy import check  # alone: it is asked every few seconds

                print(check(asked[1], *asked[3:]))
            else:
                from commands.program import app

                app()
        except Stopped:  # told to in the moment in which it was about to end
            pass


def _is_plain_check(asked: tuple[str, ...]) -> bool:
    """Whether it is `healthy PROCESS` or `healthy PROCESS --use-case NAME`."""
    of_use_case = len(asked) == 4 and asked[2] == "--use-case"
    return asked[:1] == ("healthy",) and (len(asked) == 2 or of_use_case) and not asked[1].startswith("-")


def _load_commands() -> None:
    import commands.program  # noqa: F401


if __name__ == "__main__":
    main()
