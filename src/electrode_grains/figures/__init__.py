"""Figures, tables and the report page; every function is pure and returns what it draws."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
