"""Grain architecture of single lithium-ion electrode particles from FIB-EBSD stacks."""

__version__ = "0.1.0"
