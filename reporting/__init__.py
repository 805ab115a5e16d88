"""Reports on the model's health: the only place that imports Evidently."""
