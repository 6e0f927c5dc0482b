"""How much neighbours tell about a label together that none of them tells alone, in bits.

Exact for a function of discrete neighbours, by enumeration; a plug-in estimate for samples.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

__all__ = ["AGGREGATIONS", "TARGETS", "Synergy", "entropy", "function_synergy", "synergy"]

MOST_NEIGHBOURS = 12
"""Entropies of 2^(n + 1) sets of variables are taken."""


@dataclass(frozen=True)
class Synergy:
    """Information of neighbours X_1 ... X_n about a label Y, in bits.

    Attributes:
        label: H(Y).
        whole: I(X_1 ... X_n; Y).
        single: sum over i of I(X_i; Y).
        synergy: whole - single; negative where neighbours repeat each other.
        interaction: McGill's interaction information of all n + 1 variables, in the sign in which the XOR
            of any number of fair bits has +1.
        kept: I(aggregate; Y) by name of the aggregate.
    """

    label: float
    whole: float
    single: float
    synergy: float
    interaction: float
    kept: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _sorted(x: np.ndarray) -> np.ndarray:
    """Neighbours in lexicographic order of their features: all that a network without numbers can see."""
    flat = x.reshape(len(x), x.shape[1], -1)
    ordered = np.empty_like(flat)
    for place, row in enumerate(flat):
        ordered[place] = row[np.lexsort(row.T[::-1])]
    return ordered.reshape(len(x), -1)


AGGREGATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sum": lambda x: x.sum(1),
    "mean": lambda x: x.mean(1),
    "max": lambda x: x.max(1),
    "ordered": _sorted,
}
"""Aggregates of [S, n] values or [S, n, F] features: [S] or [S, ...]."""


def entropy(columns: Iterable[np.ndarray], weight: np.ndarray | None = None) -> float:
    """Entropy in bits of the joint distribution of columns, each [S] or [S, ...].

    Args:
        columns: one value for each of S samples.
        weight: probabilities [S]; equal ones when None.

    Example:
        >>> import numpy as np
        >>> entropy([np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])])
        2.0
    """
    flat = [np.asarray(column) for column in columns]
    if not flat:
        return 0.0
    table = np.concatenate([column.reshape(len(column), -1) for column in flat], 1)
    _, place = np.unique(table, axis=0, return_inverse=True)
    mass = np.bincount(place.ravel(), weight) / (len(table) if weight is None else weight.sum())
    mass = mass[mass > 0]
    return float(-(mass * np.log2(mass)).sum()) + 0.0


def synergy(neighbours: np.ndarray, label: np.ndarray, weight: np.ndarray | None = None) -> Synergy:
    """Figures of samples (plug-in: the frequencies are taken for the distribution).

    With S samples and as many or more values of the neighbours together, ``whole`` comes out near
    H(Y) whatever the truth is: the estimate needs many samples for each combination.

    Args:
        neighbours: discrete, [S, n], or [S, n, F] with F features; 1 <= n <= 12.
        label: discrete, [S].
        weight: probabilities [S]; equal ones when None.

    Returns:
        The figures.

    Raises:
        ValueError: a shape is wrong or there is no sample.

    Example:
        >>> import numpy as np
        >>> bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> found = synergy(bits, bits.sum(1) % 2)
        >>> found.whole, found.single, found.synergy, found.interaction
        (1.0, 0.0, 1.0, 1.0)

    Source: McGill, Multivariate information transmission, Psychometrika 19, 1954.
    """
    neighbours, label = np.asarray(neighbours), np.asarray(label)
    if neighbours.ndim not in (2, 3) or not 1 <= neighbours.shape[1] <= MOST_NEIGHBOURS:
        raise ValueError(
            f"synergy: neighbours must be [S, n] or [S, n, F] with 1 <= n <= {MOST_NEIGHBOURS}, "
            f"got {list(neighbours.shape)}"
        )
    if label.shape != (len(neighbours),) or not len(label):
        raise ValueError(f"synergy: label must be [{len(neighbours)}] and not empty, got {list(label.shape)}")
    variables = [neighbours[:, i] for i in range(neighbours.shape[1])]
    count = len(variables)
    everyone = [*variables, label]
    sets = {
        chosen: entropy([everyone[i] for i in chosen], weight)
        for size in range(count + 2)
        for chosen in itertools.combinations(range(count + 1), size)
    }
    own, all_of_them = sets[(count,)], tuple(range(count))
    whole = sets[all_of_them] + own - sets[(*all_of_them, count)]
    single = sum(sets[(i,)] + own - sets[(i, count)] for i in range(count))
    interaction = -sum((-1) ** (count + 1 - len(chosen)) * bits for chosen, bits in sets.items())
    kept = {}
    for name, aggregate in AGGREGATIONS.items():
        value = np.round(aggregate(neighbours), 9)  # sums of the same numbers in another order are one value
        kept[name] = entropy([value], weight) + own - entropy([value, label], weight)
    return Synergy(own, whole, single, whole - single, interaction, kept)


def function_synergy(
    function: Callable[[np.ndarray], int], neighbours: int, values: Iterable[Any] = (0, 1)
) -> Synergy:
    """Exact figures of a function of neighbours that take the values independently and equally often.

    Args:
        function: of one row [n] or [n, F].
        neighbours: n.
        values: of one neighbour: numbers, or tuples of F numbers.

    Raises:
        ValueError: more than 2^20 combinations.

    Example:
        >>> function_synergy(lambda x: x.max(), 2).synergy < 0.3
        True
    """
    values = list(values)
    if not values or len(values) ** neighbours > 1 << 20:
        raise ValueError(
            f"synergy: combinations must be 1 to 2^20, got {len(values)} values of {neighbours} neighbours"
        )
    rows = np.array(list(itertools.product(values, repeat=neighbours)))
    return synergy(rows, np.array([int(function(row)) for row in rows]))


TARGETS: dict[str, Callable[[np.ndarray], int]] = {
    "XOR of all": lambda x: x.sum() % 2,
    "majority": lambda x: 2 * x.sum() > len(x),
    "any": lambda x: x.max(),
    "all equal": lambda x: x.min() == x.max(),
    "number of ones": lambda x: x.sum(),
}
"""Functions of bits."""


def middle_xor(neighbours: int) -> Synergy:
    """The XOR of the bits at the two middle keys; keys 0 to n - 1 in any order, half of the bits ones.

    Example:
        >>> found = middle_xor(4)
        >>> round(found.whole, 9), abs(found.kept["sum"]) < 1e-9, round(found.kept["ordered"], 9)
        (1.0, True, 1.0)
    """
    if neighbours % 2 or not 4 <= neighbours <= 6:
        raise ValueError(f"synergy: neighbours must be 4 or 6 for the middle keys, got {neighbours}")
    half = neighbours // 2
    by_key = [b for b in itertools.product((0, 1), repeat=neighbours) if sum(b) == half]
    rows, labels, weight = [], [], []
    for bits in by_key:
        label = bits[half - 1] ^ bits[half]
        for order in itertools.permutations(range(neighbours)):
            rows.append([(key, bits[key]) for key in order])
            labels.append(label)
    labels = np.array(labels)
    share = np.bincount(labels) / len(labels)
    weight = 0.5 / share[labels] / len(labels)  # both labels equally often, as in the task
    return synergy(np.array(rows), labels, weight)
