"""Where the files of a version lie under an installation's home, as BentoML's store has them."""

from __future__ import annotations

from pathlib import Path

#: Lies in a home into which a backup is being brought back, and stays where that was broken off.
UNFINISHED_RESTORE = ".restoring"


def bento_code(home: Path, tag: str) -> Path:
    """The code that a Bento carries.

    >>> bento_code(Path("var"), "visits:1").as_posix()
    'var/bentoml/bentos/visits/1/src'
    """
    return _stored(home, "bentos", tag) / "src"


def model_folder(home: Path, tag: str) -> Path:
    """The files that serve: graph, contract, golden rows."""
    return _stored(home, "models", tag)


def pipeline_folder(home: Path, tag: str) -> Path:
    """The fitted pipeline that can learn on."""
    name, _, version = tag.partition(":")
    return _stored(home, "models", f"{name}_pipeline:{version}")


def _stored(home: Path, kind: str, tag: str) -> Path:
    name, _, version = tag.partition(":")
    return home / "bentoml" / kind / name / version
