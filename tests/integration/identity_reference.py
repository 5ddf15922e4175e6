"""Who is who, the slow way: the rules of docs/identity.md in plain Python, one link after the other."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

STRONG = ("customer_ref", "user_id")

Identifier = tuple[str, str]
Sighting = tuple[Identifier, Identifier, datetime]


def resolve(sightings: Iterable[Sighting], maximum: Mapping[str, int]) -> list[set[Identifier]]:
    """Return the customers, each as the set of its identifiers.

    Args:
        sightings: Two identifiers that were seen together, and when.
        maximum: How many values of a kind one customer may have.
    """
    sightings = list(sightings)
    first_seen: dict[Identifier, datetime] = {}
    for left, right, at in sightings:
        for end in (left, right):
            first_seen[end] = min(at, first_seen.get(end, at))

    owner: dict[Identifier, tuple[datetime, str, Identifier]] = {}
    for left, right, at in sightings:
        for weak, strong in ((left, right), (right, left)):
            if weak[0] not in STRONG and strong[0] in STRONG:
                candidate = (at, ":".join(strong), strong)
                owner[weak] = min(owner.get(weak, candidate), candidate)

    parent = {identifier: identifier for identifier in first_seen}

    def root(identifier: Identifier) -> Identifier:
        while parent[identifier] != identifier:
            identifier = parent[identifier]
        return identifier

    for left, right, _ in sightings:
        both_strong = left[0] in STRONG and right[0] in STRONG
        both_loose = left[0] not in STRONG and right[0] not in STRONG and not {left, right} & owner.keys()
        if both_strong or both_loose:
            parent[root(left)] = root(right)

    adopted: dict[Identifier, tuple[datetime, str, str, Identifier]] = {}
    for left, right, at in sightings:
        for loose, neighbour in ((left, right), (right, left)):
            if loose[0] not in STRONG and loose not in owner and neighbour in owner:
                candidate = (at, ":".join(neighbour), ":".join(loose), root(owner[neighbour][2]))
                group = root(loose)
                adopted[group] = min(adopted.get(group, candidate), candidate)

    clusters: dict[Identifier, list[Identifier]] = defaultdict(list)
    for identifier in first_seen:
        cluster = root(owner[identifier][2]) if identifier in owner else root(identifier)
        clusters[adopted[cluster][3] if cluster in adopted else cluster].append(identifier)

    customers: list[set[Identifier]] = []
    for members in clusters.values():
        kept: set[Identifier] = set()
        taken: dict[str, int] = defaultdict(int)
        for identifier in sorted(members, key=lambda one: (first_seen[one], ":".join(one))):
            if taken[identifier[0]] < maximum[identifier[0]]:
                taken[identifier[0]] += 1
                kept.add(identifier)
            else:
                customers.append({identifier})
        customers.append(kept)
    return customers
