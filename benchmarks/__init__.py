"""Measurements: tables to read, never tests."""
