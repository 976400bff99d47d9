"""Kedro datasets: where arrays, tables, networks and pages meet the disk.

The catalog names each class by its module, so that a command pays only for what it uses.
"""
