"""What a `use_case.yaml` may say, and how its mistakes are named."""

from pathlib import Path

import pytest

from loop.refusals import UseCaseMistake
from use_cases.use_case import CANDIDATES, SHIPPED, UseCase, known_use_cases, read_use_case

SMALL = "source: {csv: rows.csv}\ntarget: y\n"


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name / "use_case.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return folder


def mistake(text: str) -> str:
    with pytest.raises(UseCaseMistake) as caught:
        UseCase.from_yaml(text, "example")
    return str(caught.value)


def test_source_and_target_are_enough(tmp_path: Path) -> None:
    use_case = read_use_case("small", [written(tmp_path, "small", SMALL)])
    assert use_case.name == "small"
    assert use_case.policy.feedbacks_per_training == 100
    assert use_case.metric == "roc_auc"
    assert set(use_case.candidates) == set(CANDIDATES)
    assert use_case.candidates["random_forest"]["n_estimators"] == 200
    assert use_case.folder == tmp_path / "small"


def test_yes_no_and_on_stay_text_while_true_is_the_label_true() -> None:
    text = "source: {join: {on: k, tables: [a.csv, b.csv]}}\ntarget: y\npositive: yes\n"
    use_case = UseCase.from_yaml(text, "example")
    assert use_case.positive == ("yes",)
    assert use_case.source.join is not None
    assert use_case.source.join.on == "k"
    assert UseCase.from_yaml(SMALL + "positive: true", "example").positive == ("true",)
    assert UseCase.from_yaml(SMALL + "positive: [1, 2.0]", "example").positive == ("1", "2")


def test_every_mistake_is_named_with_its_dotted_key() -> None:
    text = mistake(
        """
        source: {csv: a.csv, parquet: b.parquet}
        embedding: {kind: pca, components: 3, variance: 0.9}
        candidates: {random_forest: {}, perceptron: {}}
        metric: r2
        holdout: 1.5
        colour: red
        policy: {drift_share: 7, promotion: never, patience: 3}
        """
    )
    for key in (
        "source: give one of csv, parquet",
        "target: missing",
        "embedding: give components or variance, not both",
        "candidates.perceptron: ",
        "metric: ",
        "holdout: ",
        "colour: unknown key",
        "policy.drift_share: ",
        "policy.promotion: ",
        "policy.patience: unknown key",
    ):
        assert key in text
    assert "10 mistakes" in text


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("embedding: {kind: pca}", "embedding: kind pca needs components"),
        ("embedding: {kind: columns, components: 3}", "embedding: kind columns takes no components"),
        ("embedding: {kind: pca, variance: 1.0}", "embedding.variance: "),
        ("candidates: {}", "candidates: name at least one"),
        ("candidates: {sgd: 3}", "candidates.sgd: "),
        ("id: y", "id: y is the target already"),
        ("id: a\nignore: [a]", "ignore: a is the id already"),
        ("kinds: {y: category}", "kinds: y is the target"),
        ("kinds: {a: colour}", "kinds.a: "),
        ("classes: [a]", "classes: name two or more"),
        ("positive: {a: b}", "positive: "),
        ("name: other", "name: 'other' differs"),
        ("folder: data", "folder: no key"),
        ("seed: -1", "seed: "),
        ("target: z", "key 'target' is given twice"),
        ("ignore: [a", "no valid YAML"),
    ],
)
def test_a_mistake_says_its_key_and_what_is_wrong(lines: str, said: str) -> None:
    assert said in mistake(SMALL + lines)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{}", "name one of csv"),
        ("{loader: nothing}", "must read"),
        ("{loader: 'a.py:f', snapshots: [{date: 2024-01-31}]}", "a loader cannot have snapshots"),
        ("{snapshots: [{date: 2024-01-31, csv: a.csv}, {date: 2024-02-29}]}", "give each snapshot"),
        ("{csv: a.csv, snapshots: [{date: 2024-01-31}, {date: 2024-01-31}]}", "same date"),
        ("{csv: a.csv, snapshots: [{date: soon}]}", "source.snapshots.0.date: "),
        ("{join: {on: k, tables: [a.csv]}}", "source.join.tables: "),
    ],
)
def test_a_source_that_names_no_rows_is_a_mistake(source: str, said: str) -> None:
    assert said in mistake(f"target: y\nsource: {source}\n")


def test_a_file_that_is_no_mapping_is_refused() -> None:
    assert "must be a mapping" in mistake("")
    assert "must be a mapping" in mistake("- source\n- target\n")


def test_settings_are_laid_over_the_defaults_and_name_the_candidates() -> None:
    use_case = UseCase.from_yaml(SMALL + "candidates: {random_forest: {max_depth: 3}, sgd: }", "example")
    assert use_case.candidates == {
        "random_forest": {**CANDIDATES["random_forest"], "max_depth": 3},
        "sgd": CANDIDATES["sgd"],
    }


def test_an_unknown_name_lists_those_there_are_and_says_how_to_make_one(tmp_path: Path) -> None:
    written(tmp_path, "mine", SMALL)
    with pytest.raises(
        UseCaseMistake, match=r"no use case 'nine'; there are doctor_visits.*mine.*rebento init"
    ):
        read_use_case("nine", [tmp_path, SHIPPED])
    with pytest.raises(UseCaseMistake, match="there are none yet"):
        read_use_case("nine", [tmp_path / "nowhere"])


def test_the_first_folder_wins_and_a_name_cannot_leave_its_folder(tmp_path: Path) -> None:
    own = written(tmp_path / "own", "doctor_visits", SMALL)
    assert known_use_cases([own, SHIPPED])["doctor_visits"] == own / "doctor_visits" / "use_case.yaml"
    assert read_use_case("doctor_visits", [own, SHIPPED]).target == "y"
    with pytest.raises(UseCaseMistake):
        read_use_case("../doctor_visits", [own])


def test_a_folder_name_that_cannot_name_a_bento_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "My-Case", SMALL)
    with pytest.raises(UseCaseMistake, match=r"name: 'My-Case' must begin"):
        read_use_case("My-Case", [tmp_path])


def test_a_use_case_cannot_be_changed_in_place() -> None:
    use_case = UseCase.from_yaml(SMALL, "example")
    with pytest.raises(ValueError, match="frozen"):
        use_case.target = "z"  # type: ignore[misc]
    assert "folder" not in use_case.model_dump()
