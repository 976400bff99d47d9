"""Files of other bytes, and what a reader makes of them."""

import warnings

from electrode_grains.errors import UserError


def mutants(files, mutate, chance, count):
    """Files drawn by chance, each with content that `mutate` made of its own."""
    for _ in range(count):
        file = chance.choice(files)
        yield file, mutate(file.read_bytes(), chance)


def places_of_refusals(changes, read, refusals=(UserError,)):
    """Read with one changed file at a time; where the refusals say that something is wrong.

    Any other error than a refusal passes through; each file is put back as it was.
    """
    places = []
    for file, content in changes:
        sound = file.read_bytes()
        file.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read(file)
        except refusals as refusal:
            places.append(str(getattr(refusal, "where", "") or ""))
        finally:
            file.write_bytes(sound)
    return places
