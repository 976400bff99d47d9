"""Pipelines: thin compositions of domain functions, which meet only in the catalog."""
