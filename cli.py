"""The `rebento` command: how it begins and ends. Its parts lie in `commands`."""

from __future__ import annotations

import sys

from loop.stopping import Stopped, leave_at_once_when_told

#: What runs until it is told to stop, in a container perhaps.
_LONG_LIVED = (("up",), ("serve",), ("trainer",), ("reporter",), ("web",), ("grafana", "watch"))


def main() -> None:
    """Entry point: a refusal is one sentence and exit code 1."""
    asked = tuple(sys.argv[1:])
    if any(asked[: len(one)] == one for one in _LONG_LIVED):
        leave_at_once_when_told()  # before the imports below, which take half a second and more
    from commands.speech import ends_in_a_sentence

    with ends_in_a_sentence():
        try:
            if asked[:1] == ("healthy",) and len(asked) == 2 and not asked[1].startswith("-"):
                from commands.healthy import check  # alone: it is asked every few seconds

                print(check(asked[1]))
            else:
                from commands.program import app

                app()
        except Stopped:  # told to in the moment in which it was about to end
            pass


if __name__ == "__main__":
    main()
