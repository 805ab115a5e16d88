"""What commands print, and how Ctrl-C gets through."""

from __future__ import annotations

import os
import signal

import pytest

from terminal import bars


def test_an_interrupt_that_a_library_swallowed_ends_the_next_step() -> None:
    with pytest.raises(KeyboardInterrupt), bars() as progress:
        progress.stage("reading", 2)
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            pass  # as C code does
        progress.advance()


def test_an_interrupt_that_a_library_turned_into_its_own_error_is_still_one() -> None:
    with pytest.raises(KeyboardInterrupt), bars() as progress:
        progress.stage("reading")
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt as pressed:
            raise ValueError("read(nbytes) failed") from pressed


def test_other_errors_pass_and_the_handler_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="rows"), bars():
        raise ValueError("rows")
    assert signal.getsignal(signal.SIGINT) is before
