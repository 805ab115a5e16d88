"""How much proof a look needs: the error spent over many looks, and over several challengers of one look."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

_NORMAL = NormalDist()

DRAWS = 2_000
"""Of each challenger, for the maximum of several: the tail is right to about 2 % of itself."""


def spent_at(look: int, total: float) -> float:
    """The error that look 1, 2, 3, … at one champion may spend: `total` / (look * (look + 1)).

    After i looks total * i / (i + 1) is spent, so the chance that any of them is wrong stays below
    `total` however many there are and however they depend on one another (Bonferroni). It is a spending
    function in the sense of Lan and DeMets (1983), with i / (i + 1) as the fraction of information,
    because nobody knows beforehand how many looks there will be. Raises ValueError where look < 1.

    >>> [round(spent_at(look, 0.06), 4) for look in (1, 2, 3)]
    [0.03, 0.01, 0.005]
    """
    if look < 1:
        raise ValueError(f"looks are counted from 1, not {look}")
    return total / (look * (look + 1))


def critical_value(alpha: float, correlation: np.ndarray, *, seed: int) -> float:
    """How many standard errors above 0 the best of several challengers must lie, for an error of `alpha`.

    The (1 - alpha) quantile of the largest of normal variables with this correlation (challengers,
    challengers): the joint test of Westfall and Young (1993), by the normal approximation of Hothorn, Bretz
    and Westfall (2008). Challengers that answer alike cost hardly more than one; the bound never exceeds
    Bonferroni's. The far tail is estimated as Adler, Blanchet and Liu (2012) do, drawing given that one
    variable is beyond, so that 1e-6 is as exact as 0.05.

    >>> round(critical_value(0.025, np.eye(1), seed=0), 3)
    1.96
    >>> alike = np.array([[1.0, 0.9], [0.9, 1.0]])
    >>> 1.96 < critical_value(0.025, alike, seed=0) < critical_value(0.025, np.eye(2), seed=0)
    True
    """
    size = len(correlation)
    low, high = -_NORMAL.inv_cdf(alpha), -_NORMAL.inv_cdf(alpha / size)
    if size == 1:
        return low
    # Of challengers that answer the same, the correlation is singular: square root by eigenvalues. The
    # symmetric one: eigenvectors have a sign, and equal values a basis, of each processor's own.
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.clip(values, 0.0, None)) @ vectors.T
    generator = np.random.default_rng(seed)
    uniform = generator.random(DRAWS)
    noise = generator.standard_normal((DRAWS, size)) @ root.T
    # The share that several exceed together moves slowly with the bound: six rounds settle it to 1e-4.
    for _ in range(6):
        high = -_NORMAL.inv_cdf(alpha / _apart(high, correlation, uniform, noise))
    return min(max(high, low), -_NORMAL.inv_cdf(alpha / size))


def _apart(bound: float, correlation: np.ndarray, uniform: np.ndarray, noise: np.ndarray) -> float:
    """P(the largest > bound) / P(one > bound), from 1 (all alike) to the number of challengers.

    The sum over i of E[1 / how many are beyond | Z_i > bound].
    """
    beyond = _NORMAL.cdf(-bound)
    exceeding = np.array([-_NORMAL.inv_cdf(max(share, 1e-12) * beyond) for share in uniform])
    total = 0.0
    for i in range(len(correlation)):
        # Conditional on Z_i the others keep their noise, moved along their correlation with it.
        given = noise + np.outer(exceeding - noise[:, i], correlation[i])
        given[:, i] = exceeding
        total += float((1.0 / (given > bound).sum(axis=1).clip(1)).mean())
    return max(1.0, total)
