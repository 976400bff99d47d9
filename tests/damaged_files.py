"""Files of other bytes, and what a reader makes of them."""

import warnings

from electrode_grains.problems import Problem


def places_of_refusals(path, contents, read):
    """Read a file with each content in turn; where the refused ones say that they are wrong.

    Any other error than a refusal passes through.
    """
    places = []
    for content in contents:
        path.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read()
        except Problem as problem:
            places.append(str(problem.where))
    return places
