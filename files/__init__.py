"""Whole files in and out: predictions, feedback, exports."""
