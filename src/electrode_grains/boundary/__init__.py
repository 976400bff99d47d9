"""Boundary model: a 3D U-Net trained on a few annotated slices.

Input is the normalised contrast of an aligned stack and an annotation of some
of its slices; output is the probability of grain boundary, grain interior and
background in every voxel. What is public stands in `__init__.pyi`; a name is imported
when it is first used, since PyTorch takes seconds to load.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
