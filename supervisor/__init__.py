"""Keeps the processes alive."""
