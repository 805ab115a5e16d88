"""Fetches the foreign files that the project keeps copies of, and checks them against their hashes.

Run it to change a version: `python scripts/vendor.py`. It needs npm, whose registry is asked by npm itself.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Vendored:
    """One file of one npm package."""

    package: str
    version: str
    integrity: str
    """Of the package's tarball, as npm's lock files write it."""
    member: str
    destination: str


FILES = (
    Vendored(
        "htmx.org",
        "2.0.11",
        "sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==",
        "package/dist/htmx.min.js",
        "static/vendor/htmx.min.js",
    ),
    # Only the tests load it.
    Vendored(
        "axe-core",
        "4.14.1",
        "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        "package/axe.min.js",
        "tests/browser/vendor/axe.min.js",
    ),
)


def fetch(file: Vendored, folder: Path) -> bytes:
    """The file's bytes. Ends the process where the tarball is not the one that is pinned."""
    subprocess.run(
        ["npm", "pack", "--silent", f"{file.package}@{file.version}"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    tarball = folder / f"{file.package}-{file.version}.tgz"
    found = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if found != file.integrity:
        sys.exit(f"{file.package} {file.version} is {found}, not {file.integrity}: nothing was written")
    with tarfile.open(tarball) as archive:
        member = archive.extractfile(file.member)
        if member is None:
            sys.exit(f"{file.package} {file.version} has no {file.member}")
        return member.read()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for file in FILES:
            content = fetch(file, Path(folder))
            destination = ROOT / file.destination
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.write_bytes(content)
            print(f"{file.destination}: {file.package} {file.version}, {len(content):,} bytes")


if __name__ == "__main__":
    main()
