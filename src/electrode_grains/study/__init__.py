"""Many particles: statistics of each, spread between them beside spread within, groups of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
