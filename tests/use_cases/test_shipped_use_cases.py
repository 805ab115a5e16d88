"""The three use cases that come with Rebento, on their real data."""

import datetime
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from loop.refusals import DataNotFound
from runner.rows import RowChecker
from tests.shared_data import DATA
from use_cases.derive import derive_contract, frame_rows
from use_cases.source import load_rows
from use_cases.use_case import SHIPPED, UseCase, read_use_case

LEAKS = {
    *("outpdol", "drugdol", "suppdol", "mentdol", "inpdol", "meddol", "totadm", "inpmis"),
    *("mentvis", "mdvis", "notmdvis", "lnmeddol", "binexp"),
}


def shipped(name: str) -> UseCase:
    return read_use_case(name, [SHIPPED])


def holdout_auc(use_case: UseCase, rows: pd.DataFrame) -> float:
    """AUC of one boosted model on ids it never saw: enough to see that a data set is what it should be."""
    contract = derive_contract(use_case, rows)
    features = rows[[column.name for column in contract.columns if column.kind != "date"]]
    texts = [column.name for column in contract.columns if column.kind in ("category", "boolean")]
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    model = make_pipeline(
        make_column_transformer((encode, texts), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=80, random_state=0, early_stopping=False),
    )
    split = GroupShuffleSplit(1, test_size=0.2, random_state=0)
    train, test = next(split.split(rows, groups=rows[use_case.id]))
    features = features.assign(**{name: features[name].astype("str") for name in texts})
    truth = (rows[use_case.target] == contract.positive[0]).to_numpy()
    model.fit(features.iloc[train], truth[train])
    return float(roc_auc_score(truth[test], model.predict_proba(features.iloc[test])[:, 1]))


@pytest.fixture(scope="module")
def visits() -> pd.DataFrame:
    return load_rows(shipped("doctor_visits"), Path("no data folder is needed"))


def test_doctor_visits_holds_every_person_year_and_no_leak(visits: pd.DataFrame) -> None:
    assert len(visits) == 20_190
    assert visits["person"].nunique() == 5_912
    assert visits["doctor_visit"].value_counts().to_dict() == {"yes": 13_882, "no": 6_308}
    assert not LEAKS & set(visits.columns)


def test_doctor_visits_speaks_in_words_and_keeps_its_gaps(visits: pd.DataFrame) -> None:
    contract = derive_contract(shipped("doctor_visits"), visits)
    columns = {column.name: column for column in contract.columns}
    assert set(columns["health"].categories) == {"excellent", "good", "fair", "poor"}
    assert set(columns["sex"].categories) == {"female", "male"}
    assert set(columns["insurance"].categories) == {
        *("free care", "individual deductible"),
        *("pays 25 percent", "pays 50 percent", "pays 95 percent", "pays 100 percent"),
    }
    assert len(columns["site"].categories) == 6
    gaps = {name for name, column in columns.items() if column.nullable}
    assert {"general_health_index", "education_years", "physical_limitation"} <= gaps
    assert visits["general_health_index"].isna().sum() == 5_223
    assert (contract.positive, contract.id_column, contract.time_column) == (("yes",), "person", "year")


def test_doctor_visits_can_be_learned_for_persons_never_seen(visits: pd.DataFrame) -> None:
    assert 0.72 < holdout_auc(shipped("doctor_visits"), visits) < 0.80


@pytest.fixture(scope="module")
def streamflow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    with zipfile.ZipFile(DATA / "streamflow_seeds.zip") as archive:
        archive.extractall(folder / "streamflow")
    return folder


def test_streamflow_churn_joins_six_tables_of_two_months(streamflow_folder: Path) -> None:
    rows = load_rows(shipped("streamflow_churn"), streamflow_folder)
    assert rows.shape == (14_086, 24)
    assert rows["known_at"].value_counts().to_dict() == {
        pd.Timestamp("2024-01-31"): 7_043,
        pd.Timestamp("2024-02-29"): 7_043,
    }
    columns = {
        column.name: column.kind for column in derive_contract(shipped("streamflow_churn"), rows).columns
    }
    assert columns["signup_date"] == "date"
    assert columns["plan_stream_tv"] == columns["paperless_billing"] == "boolean"
    assert "known_at" not in columns


def test_streamflow_churn_as_of_january_knows_nothing_of_february(streamflow_folder: Path) -> None:
    use_case = shipped("streamflow_churn")
    rows = load_rows(use_case, streamflow_folder, datetime.date(2024, 1, 31))
    assert len(rows) == 7_043
    assert set(rows["known_at"]) == {pd.Timestamp("2024-01-31")}
    assert holdout_auc(use_case, rows) > 0.80


def test_absent_files_are_named_with_where_to_put_them(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound) as caught:
        load_rows(shipped("streamflow_churn"), tmp_path)
    assert str(tmp_path / "streamflow" / "month_001" / "labels.csv") in str(caught.value)
    assert "REBENTO_DATA" in str(caught.value)
    with pytest.raises(DataNotFound, match=r"dpe_tertiaire\.csv\.gz.*Put it there, or set REBENTO_DATA"):
        load_rows(shipped("dpe_tertiaire"), tmp_path)


def test_dpe_tertiaire_has_seven_classes_and_places_not_amounts() -> None:
    use_case = shipped("dpe_tertiaire")
    rows = load_rows(use_case, (DATA / "dpe_tertiaire.csv.gz").parent)
    contract = derive_contract(use_case, rows)
    columns = {column.name: column for column in contract.columns}
    assert contract.classes == tuple("ABCDEFG")
    assert len(rows) == 16_648
    assert rows.attrs["dropped"] == {"of other classes": 1}
    assert columns["departement"].kind == "category"
    assert columns["annee_construction"].nullable
    assert not {"seq", "n_dpe", "annee_dpe"} & set(columns)


@pytest.mark.parametrize("name", ["doctor_visits", "dpe_tertiaire", "streamflow_churn"])
def test_every_shipped_row_keeps_its_own_contract(name: str, streamflow_folder: Path) -> None:
    use_case = shipped(name)
    rows = load_rows(
        use_case, streamflow_folder if name == "streamflow_churn" else (DATA / "dpe_tertiaire.csv.gz").parent
    )
    contract = derive_contract(use_case, rows)
    checked = RowChecker(contract).check(frame_rows(contract, rows))
    assert not any(checked.warnings)
    assert np.isfinite(checked.numbers[~np.isnan(checked.numbers)]).all()
