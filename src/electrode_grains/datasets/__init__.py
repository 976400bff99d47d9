"""Kedro datasets: where arrays, tables, networks and pages meet the disk.

The catalog names each class by its module; what commands use is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
