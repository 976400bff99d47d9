"""Sizes that a file declares, held against what it stores before anything is allocated."""

from __future__ import annotations

# Deflate cannot shorten more, and what EBSD software writes is not as regular as to come near.
STRONGEST_COMPRESSION = 1032
# Allocated and filled at once, whatever the file says.
FREE_ALLOCATION = 2**26


def plausible_size(stored_bytes: int, declared_bytes: int) -> bool:
    """Whether so many bytes of a file can be so many bytes of data.

    Examples
    --------
    >>> plausible_size(stored_bytes=2000, declared_bytes=10**6)
    True
    >>> plausible_size(stored_bytes=2000, declared_bytes=10**9)
    False
    """
    return declared_bytes <= max(FREE_ALLOCATION, STRONGEST_COMPRESSION * stored_bytes)
