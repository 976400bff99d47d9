"""Whether the tests notice a fault: mutants of the readers, the morphometry and the fits.

A mutant is a module with one small fault. It is killed if one of the tests of its room fails, and
survives if all pass. Run with `make mutants`; what it found is in `docs/mutation_testing.md`.
"""
