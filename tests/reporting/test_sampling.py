"""A sample of a stream."""

from __future__ import annotations

import numpy as np

from reporting.sampling import Sample


def sampled(most: int, total: int, part: int, seed: int = 0) -> np.ndarray:
    sample = Sample(most)
    generator = np.random.default_rng(seed)
    for start in range(0, total, part):
        places = np.arange(start, min(start + part, total))
        sample.add((places, places.astype(str)), generator.random(len(places)))
    places, texts = sample.items()
    assert texts.tolist() == [str(place) for place in places]
    return places


def test_a_short_stream_is_kept_whole() -> None:
    assert sampled(10, 10, 3).tolist() == list(range(10))


def test_a_long_one_is_sampled_in_order_and_the_same_however_it_is_cut() -> None:
    one, other = sampled(100, 5_000, 5_000), sampled(100, 5_000, 7)
    assert len(one) == 100 and (np.diff(one) > 0).all()
    assert one.tolist() == other.tolist() != sampled(100, 5_000, 7, seed=1).tolist()


def test_every_item_is_as_likely_as_any_other() -> None:
    counts = np.zeros(60)
    for seed in range(400):
        counts[sampled(15, 60, 4, seed)] += 1
    # 400 draws of a quarter: 100 expected, deviation 8.7.
    assert counts.min() > 60 and counts.max() < 140


def test_a_larger_sample_contains_a_smaller_one() -> None:
    assert set(sampled(50, 1_000, 9)) <= set(sampled(120, 1_000, 9))


def test_nothing_is_a_stream_too() -> None:
    sample = Sample(5)
    sample.add((np.zeros(0), np.zeros((0, 2))), np.zeros(0))
    assert [len(column) for column in sample.items()] == [0, 0]
