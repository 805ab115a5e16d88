"""What the files of a Bento say: its contract, real rows, its k. They never change, so they are read once."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from loop.places import model_folder
from loop.refusals import BrokenPackage
from storage.versions import Version
from use_cases.contract import Contract

_KEPT = 8


@dataclass(frozen=True, slots=True)
class Bento:
    """One Bento's files, as the pages need them."""

    tag: str
    folder: Path
    """The model's files."""
    contract: Contract
    examples: tuple[dict[str, Any], ...]
    """Real rows that no version trained on, from sure to unsure: its golden rows."""
    k: int
    """Feedbacks from one training request to the next."""
    metric: str


class Bentos:
    """The Bentos of one installation."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._read: OrderedDict[str, Bento] = OrderedDict()

    def of(self, version: Version) -> Bento:
        """The files of a version. Raises BrokenPackage where they are gone or cannot be read."""
        found = self._read.get(version.tag)
        if found is None:
            found = self._read[version.tag] = self._open(version)
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
        return found

    def _open(self, version: Version) -> Bento:
        folder = model_folder(self._home, version.model_tag)
        try:
            info = json.loads((folder / "package.json").read_text(encoding="utf-8"))
            golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
            return Bento(
                tag=version.tag,
                folder=folder,
                contract=Contract.read(folder / "contract.json"),
                examples=tuple(golden["rows"]),
                k=int(info["k"]),
                metric=str(info["metric"]),
            )
        except (OSError, ValueError, KeyError, ValidationError) as error:
            raise BrokenPackage(
                f"the files of {version.tag} in {folder.name} cannot be read ({type(error).__name__}); "
                "roll back to another version, or train again"
            ) from error
