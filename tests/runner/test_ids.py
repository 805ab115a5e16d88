from __future__ import annotations

from runner.ids import PredictionIds

IDS = PredictionIds(b"k" * 32, "visits")


def test_an_id_given_out_is_known_at_every_worker() -> None:
    assert PredictionIds(b"k" * 32, "visits").knows(IDS.new())


def test_ids_differ_and_sort_by_age() -> None:
    ids = [IDS.new() for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert ids[0][:12] <= ids[-1][:12]


def test_an_invented_or_changed_id_is_not_known() -> None:
    real = IDS.new()
    changed = ("0" if real[0] != "0" else "1") + real[1:]
    for text in ("", "x" * 36, "0" * 36, changed, real.upper(), real + " ", real[:-1], f" {real[:-1]}"):
        assert not IDS.knows(text) or text == real
    assert not IDS.knows(None) and not IDS.knows(12)


def test_an_id_of_another_use_case_or_installation_is_not_known() -> None:
    assert not PredictionIds(b"k" * 32, "churn").knows(IDS.new())
    assert not PredictionIds(b"j" * 32, "visits").knows(IDS.new())
