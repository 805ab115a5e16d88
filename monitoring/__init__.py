"""Metric names, units and help texts, in one place."""
