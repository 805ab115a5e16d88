"""Writes docs/metrics.md from the catalogue: `python scripts/metrics_page.py`."""

from __future__ import annotations

from pathlib import Path

from monitoring.catalogue import METRICS, Process

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
_WHO: dict[Process, tuple[str, str]] = {
    "runner": (
        "The runner",
        "Counted by each worker, added up over all of them, those that have ended as well: at `/metrics` of "
        "the API.",
    ),
    "supervisor": (
        "The loop",
        "Read from the database by the supervisor every five seconds, so that they outlive every process; at "
        "`/metrics` of the API, too.",
    ),
    "pages": (
        "The pages",
        "At `/metrics` of the pages, with what prometheus-client tells of any process (`web_process_…`).",
    ),
}


def page() -> str:
    lines = [
        "# Metrics",
        "",
        "Made from `monitoring/catalogue.py` by `python scripts/metrics_page.py`. Labels are bounded: routes",
        "are templates and unknown ones share `other`, states and outcomes come from fixed sets, classes and",
        "columns from the contract.",
    ]
    for process, (title, text) in _WHO.items():
        lines += [
            "",
            f"## {title}",
            "",
            text,
            "",
            "| metric | kind | labels | meaning |",
            "| --- | --- | --- | --- |",
        ]
        for metric in METRICS:
            if metric.process == process:
                labels = ", ".join(f"`{label}`" for label in metric.labels)
                lines.append(f"| `{metric.shown}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
