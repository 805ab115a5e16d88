"""Runs of a workspace thin out with their age, and what stays is bounded."""

from __future__ import annotations

from reporting.rollup import DAILY, NUMBERS_OF_ALL, WHOLE, roll_up

HOUR = 3_600_000
DAY = 24 * HOUR


def test_the_newest_runs_stay_whole() -> None:
    plan = roll_up(range(0, WHOLE * HOUR, HOUR))
    assert (len(plan.whole), plan.numbers_only, plan.gone) == (WHOLE, (), ())


def test_every_run_is_in_one_part_newest_first() -> None:
    instants = list(range(0, 2_000 * DAY, 6 * HOUR))
    plan = roll_up(instants)
    assert [*plan.whole, *sorted((*plan.numbers_only, *plan.gone), reverse=True)] == instants[::-1]
    assert plan.whole == tuple(instants[: -WHOLE - 1 : -1])


def test_of_an_older_day_the_last_run_stays_and_of_an_old_week_one() -> None:
    instants = list(range(0, 800 * DAY, HOUR))
    kept = roll_up(instants).numbers_only
    older = [at for at in kept if at < instants[-NUMBERS_OF_ALL]]
    days = [at // DAY for at in older if instants[-1] // DAY - at // DAY < DAILY]
    weeks = [at // (7 * DAY) for at in older if instants[-1] // DAY - at // DAY >= DAILY]
    assert len(days) == len(set(days)) > DAILY - 10
    assert all(at % DAY == 23 * HOUR for at in older if at // DAY in days[1:])
    assert len(weeks) == len(set(weeks)) > 50


def test_a_run_every_quarter_of_an_hour_for_years_stays_bounded() -> None:
    plan = roll_up(range(0, 3 * 365 * DAY, HOUR // 4))
    assert len(plan.whole) + len(plan.numbers_only) < NUMBERS_OF_ALL + DAILY + 3 * 53


def test_rolling_up_what_was_rolled_up_takes_nothing_more() -> None:
    plan = roll_up(range(0, 600 * DAY, 5 * HOUR))
    again = roll_up([*plan.whole, *plan.numbers_only])
    assert again.gone == ()


def test_nothing_is_rolled_up_from_nothing() -> None:
    assert roll_up([]).whole == ()
