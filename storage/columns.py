"""What every table is made with: one metadata, names for its rules, counted keys."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

#: SQLite counts by itself only in a column whose type is exactly INTEGER.
COUNTED = BigInteger().with_variant(Integer(), "sqlite")
