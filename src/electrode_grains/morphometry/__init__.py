"""Size, shape and orientation of grains, and the network of their boundaries."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
