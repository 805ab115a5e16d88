"""The four dashboards, and what is marked in each of their graphs."""

from __future__ import annotations

from monitoring.grafana.loop_panels import DRIFT, LOOP
from monitoring.grafana.service_panels import QUALITY, SERVICE

DASHBOARDS = (SERVICE, QUALITY, DRIFT, LOOP)

#: The name of the marks that `rebento grafana` writes, each with its reason.
WRITTEN = "Promotions, rollbacks, trainings"

#: Name, expression and colour of what is marked in every graph out of Prometheus, where nothing is written.
EVENTS = (
    ("Another Bento in force", "changes(bento_in_force_since_timestamp_seconds[2m]) > 0", "green"),
    ("Rolled back", 'increase(promotions_total{kind="rollback",state="done"}[2m]) > 0', "red"),
    ("A training run ended", "changes(last_training_run_timestamp_seconds[2m]) > 0", "blue"),
)
