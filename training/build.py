"""Package folder in, Bento out: `python -m training.build ORDER.json`, a fresh process for every build.

The service module is imported once a process, and BentoML keeps the model it named then: a second build in
the same process would list the first build's model in its bento.yaml, and a container carry the wrong one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from loop.refusals import BrokenPackage
from loop.stopping import when_orphaned

ROOT = Path(__file__).resolve().parents[1]


class Order(BaseModel):
    """What is to be built."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    package: Path
    """Folder of the model's files."""
    pipeline: Path
    """Folder of the fitted pipeline's files."""
    labels: dict[str, str]

    @property
    def tag(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def pipeline_tag(self) -> str:
        return f"{self.name}_pipeline:{self.version}"


def build_bento(order: Order, home: Path) -> str:
    """Puts the two models and the Bento into the store under `home`/bentoml; the Bento's tag.

    Raises BrokenPackage where the build fails or the Bento would not serve exactly its own model; then
    nothing of it stays in the store.
    """
    store = home / "bentoml"
    store.mkdir(parents=True, exist_ok=True)
    # What the service reads at import decides nothing of a Bento: the build must not depend on it.
    environ = {
        k: v for k, v in os.environ.items() if not k.startswith(("REBENTO_", "PROMETHEUS_", "BENTOML"))
    }
    environ |= {"BENTOML_HOME": str(store.absolute()), "BENTOML_DO_NOT_TRACK": "True"}
    try:
        with tempfile.TemporaryDirectory() as folder, _lifeline() as lifeline:
            path = Path(folder) / "order.json"
            path.write_text(order.model_dump_json(), encoding="utf-8")
            done = subprocess.run(
                [sys.executable, "-m", "training.build", str(path)],
                cwd=ROOT,
                env=environ,
                stdin=lifeline,
                capture_output=True,
                text=True,
            )
        if done.returncode:
            said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            raise BrokenPackage(
                f"the Bento {order.tag} could not be built: {said[-1] if said else 'no reason given'}"
            )
        _check_pin(order, store)
    except BaseException:
        remove_bento(order.tag, store)
        raise
    return order.tag


@contextmanager
def _lifeline() -> Iterator[int]:
    """A pipe to read from that ends with this process, also where it is killed."""
    read, write = os.pipe()
    try:
        yield read
    finally:
        os.close(read)
        os.close(write)


def _check_pin(order: Order, store: Path) -> None:
    """A Bento that names another model, or `latest`, would answer with that: rollback would be a lie."""
    path = store / "bentos" / order.name / order.version / "bento.yaml"
    if not path.is_file():
        raise BrokenPackage(f"the Bento {order.tag} is not in the store after its build; build it again.")
    described: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    listing = [described, *(described.get("services") or ())]
    models = [str(model["tag"]) for place in listing for model in place.get("models") or ()]
    pinned = (described.get("args") or {}).get("model")
    if models != [order.tag] or pinned != order.tag:
        raise BrokenPackage(
            f"the Bento {order.tag} lists the models {', '.join(models) or 'none'} and would serve {pinned}: "
            f"it must pin {order.tag} alone, so it was not kept."
        )


def remove_bento(tag: str, store: Path) -> None:
    """Removes what there is of a Bento and of its two models in the store."""
    name, _, version = tag.partition(":")
    for folder in store_folders(name, store):
        shutil.rmtree(folder / version, ignore_errors=True)
        latest = folder / "latest"  # BentoML's note of which to take where none is named
        if latest.is_file() and latest.read_text(encoding="utf-8").strip() == version:
            left = sorted((place for place in folder.iterdir() if place.is_dir()), key=_age)
            if left:
                latest.write_text(left[-1].name, encoding="utf-8")
            else:
                latest.unlink()


def store_folders(name: str, store: Path) -> tuple[Path, ...]:
    """Where the store keeps a use case's Bentos, their models and their fitted pipelines, by version."""
    places = (("bentos", name), ("models", name), ("models", f"{name}_pipeline"))
    return tuple(store / kind / of for kind, of in places)


def _age(folder: Path) -> float:
    return folder.stat().st_mtime


def _build(order: Order) -> None:
    import bentoml  # reads BENTOML_HOME once, when it is imported

    for tag, folder in ((order.tag, order.package), (order.pipeline_tag, order.pipeline)):
        with bentoml.models.create(tag, labels=order.labels) as model:
            shutil.copytree(folder, model.path, dirs_exist_ok=True)
    bentoml.bentos.build_bentofile(
        str(ROOT / "bentofile.yaml"),
        name=order.name,
        version=order.version,
        labels=order.labels,
        build_ctx=str(ROOT),
        args={"model": order.tag},
    )


if __name__ == "__main__":
    when_orphaned(lambda: os._exit(1))  # whoever ordered the Bento was killed: nobody would enter it
    _build(Order.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8")))
