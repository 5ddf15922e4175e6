"""Random numbers that depend on the sample's parameters and on nothing else.

Every part of the sample draws from a stream of its own name, so that a change in one channel leaves the
others as they were. What is drawn belongs in the modules of the channels.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from loaders.sample.arrays import Bools, Floats, Ints, Values


class Dice:
    """Source of independent, named random streams."""

    def __init__(self, *parameters: int) -> None:
        """Fix the parameters, whole numbers of at least 0, from which every stream is derived."""
        self._parameters = parameters

    def stream(self, name: str) -> np.random.Generator:
        """Generator of one part of the sample, the same for the same parameters and name."""
        sequence = np.random.SeedSequence([*self._parameters, zlib.crc32(name.encode())])
        return np.random.Generator(np.random.PCG64(sequence))


def chosen(
    rng: np.random.Generator, eligible: Bools, probability: Floats | float, at_least: int = 1
) -> Bools:
    """Draw a mask; the first eligible entries fill it up to ``at_least``, for small samples."""
    drawn: Bools = eligible & (rng.random(len(eligible)) < probability)
    missing = at_least - int(np.count_nonzero(drawn))
    if missing > 0:
        drawn[np.flatnonzero(eligible & ~drawn)[:missing]] = True
    return drawn


def weighted(rng: np.random.Generator, weights: Floats | Sequence[float], size: int) -> Ints:
    """Draw ``size`` positions with the given weights; none if no weight is above 0."""
    bounds = np.cumsum(np.asarray(weights, dtype=np.float64))
    if not len(bounds) or bounds[-1] <= 0:
        return np.empty(0, dtype=np.int64)
    found: Ints = np.searchsorted(bounds, rng.random(size) * bounds[-1], side="right").astype(np.int64)
    return found


def scrambled(numbers: Ints, salt: int) -> Values:
    """Unique 64-bit numbers without visible order, from unique numbers (the finaliser of SplitMix64)."""
    mixed = numbers.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15) % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
