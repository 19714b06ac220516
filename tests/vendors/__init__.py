"""Servers that refuse what the vendors refuse, for tests: one module for each."""
