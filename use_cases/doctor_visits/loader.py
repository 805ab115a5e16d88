"""Person-years of the RAND Health Insurance Experiment, as statsmodels carries them, in words.

Columns and their meaning: `randdesc.txt` beside the data in statsmodels, and Cameron and Trivedi,
"Microeconometrics" (2005), table 20.4. Left out are

- what the year's visits are or follow from (outpdol, drugdol, suppdol, mentdol, inpdol, meddol, totadm,
  inpmis, mentvis, mdvis, notmdvis, lnmeddol, binexp), and `time`, the part of the year that the person
  turned out to be in the experiment: none is known when the question is asked;
- columns computed from others (lfam, lnum, lpi, linc, logc, fmde, child, fchild, and xghindx, which is
  ghindx with its gaps filled by imputation);
- the race of the head of the household, which no service should decide by.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import numpy as np
import pandas as pd

from loop.refusals import DataNotFound

# The published list of sites is in this order, and so are its numbers of persons enrolled.
SITES = {
    1: "Dayton",
    2: "Seattle",
    3: "Fitchburg",
    4: "Franklin County",
    5: "Charleston",
    6: "Georgetown County",
}


def person_years(data: Path) -> pd.DataFrame:
    """One row a person and year, 20,190 in all. The data folder is not used. Raises DataNotFound."""
    try:
        folder = importlib.resources.files("statsmodels")
    except ModuleNotFoundError as error:
        raise DataNotFound(
            "doctor_visits reads the data that statsmodels carries, and statsmodels is not installed; "
            "install Rebento with its training extra."
        ) from error
    with importlib.resources.as_file(folder / "datasets/randhie/src/randhie.csv") as path:
        raw = pd.read_csv(path)
    return pd.DataFrame(
        {
            "person": raw["zper"],
            "year": raw["year"],
            "site": raw["site"].map(SITES),
            "insurance": _insurance(raw),
            "maximum_expenditure": raw["mdeoff"],
            "participation_incentive": raw["pioff"],
            "age": raw["xage"],
            "sex": raw["female"].map({0: "male", 1: "female"}),
            "education_years": raw["educdec"],
            "income": raw["income"],
            "family_size": raw["num"],
            "took_physical": raw["tookphys"].map({0: "no", 1: "yes"}),
            "health": _health(raw),
            "general_health_index": raw["ghindx"],
            "mental_health_index": raw["mhi"],
            "chronic_diseases": raw["disea"],
            # Fractions are means that stand in for an answer nobody gave.
            "physical_limitation": raw["physlm"].map({0.0: "no", 1.0: "yes"}),
            "doctor_visit": np.where(raw["mdvis"] > 0, "yes", "no"),
        }
    )


def _insurance(raw: pd.DataFrame) -> pd.Series:
    """The plan as what the person pays of a bill: `coins` per cent, or an individual deductible first."""
    words = raw["coins"].map(lambda percent: "free care" if percent == 0 else f"pays {percent} percent")
    return words.where((raw["idp"] == 0) | (raw["coins"] > 0), "individual deductible")


def _health(raw: pd.DataFrame) -> pd.Series:
    """Self-rated health; the category that has no column of its own is excellent."""
    flags = [raw["hlthg"] == 1, raw["hlthf"] == 1, raw["hlthp"] == 1]
    return pd.Series(np.select(flags, ["good", "fair", "poor"], "excellent"), index=raw.index)
