"""What counts say of shares, exactly: no normal approximation, so that a handful of rows is judged right."""

from __future__ import annotations

from math import exp, lgamma, log

_NEGLIGIBLE = 1e-12


def chance_of_at_least(hits: int, rows: int, share: float) -> float:
    """How likely `hits` or more of `rows` are, where each is one with probability `share` (binomial).

    >>> round(chance_of_at_least(8, 10, 0.5), 4), chance_of_at_least(0, 10, 0.5)
    (0.0547, 1.0)
    """
    if hits <= 0:
        return 1.0
    if share <= 0 or hits > rows:
        return 0.0
    if share >= 1 or hits <= rows * share:
        return 1.0 if share >= 1 else 1.0 - chance_of_at_least(rows - hits + 1, rows, 1 - share)
    found = 0.0
    for count in range(hits, rows + 1):  # the terms fall from here on
        term = exp(_log_choose(rows, count) + count * log(share) + (rows - count) * log(1 - share))
        found += term
        if term < _NEGLIGIBLE * found or term == 0.0:
            break
    return min(1.0, found)


def chance_of_more(hits: int, rows: int, other_hits: int, other_rows: int) -> float:
    """How likely at least so many hits are if both groups have one share (Fisher 1935, one-sided).

    >>> round(chance_of_more(3, 4, 1, 4), 3)
    0.243
    """
    all_hits, total = hits + other_hits, rows + other_rows
    whole = _log_choose(total, rows)
    found = 0.0
    for count in range(max(hits, rows - (total - all_hits)), min(rows, all_hits) + 1):
        found += exp(_log_choose(all_hits, count) + _log_choose(total - all_hits, rows - count) - whole)
    return min(1.0, found)


def _log_choose(rows: int, count: int) -> float:
    return lgamma(rows + 1) - lgamma(count + 1) - lgamma(rows - count + 1)
