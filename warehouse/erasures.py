"""The register of erasures: who was erased, as tombstones that name nobody, and what was done when.

A tombstone is a keyed hash of an identifier: it knows the person again in a raw row that comes late, and
without the warehouse's private key nobody can try identifiers out on it. The register stands beside the
build files and not in them: these may be removed at any time, and must not come back with an erased person.
What does NOT belong here: which rows are a person's (`warehouse.persons`), and the SQL that leaves them out
(`macros/erasure.sql`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from warehouse.files import replacing

CUSTOMER_ID = "customer_id"
"""Kind under which published ids have tombstones, too; no kind of identifier is called so."""

_CHECK = "the key of this register"
_MODE = 0o600


class ErasureError(RuntimeError):
    """The register cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Erasure:
    """One person's erasure. Nothing of it tells who it was.

    Attributes:
        erasure_id: Random; what the audit calls it.
        request_ids: Keys of the requests, where the raw zone or the command line named any.
        requested_at: When it was first asked for, naive UTC; None where nobody said.
        recorded_at: When the command was given, naive UTC.
        identifiers: How many identifiers the person had.
        tombstones: Keyed hashes of them, and of the published ids that they gave.
        raw_tables: Raw tables with rows of the person: the erasing night reads them whole.
        row_counts: Table, with its schema, to the number of rows that were held.
        erased_at: When the night without the person was published, naive UTC; None until then.
        run_id: That night.
    """

    erasure_id: str
    request_ids: tuple[str, ...]
    requested_at: datetime | None
    recorded_at: datetime
    identifiers: int
    tombstones: tuple[str, ...]
    raw_tables: tuple[str, ...]
    row_counts: Mapping[str, int]
    erased_at: datetime | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class Register:
    """All erasures of a warehouse, the latest last."""

    erasures: tuple[Erasure, ...] = ()

    @property
    def tombstones(self) -> tuple[str, ...]:
        """Tombstones of everybody, each once."""
        return tuple(sorted({stone for erasure in self.erasures for stone in erasure.tombstones}))

    @property
    def pending(self) -> tuple[Erasure, ...]:
        """Those that no published night has carried out."""
        return tuple(erasure for erasure in self.erasures if erasure.erased_at is None)

    @property
    def pending_tables(self) -> tuple[str, ...]:
        """Raw tables that the next night reads whole for them."""
        return tuple(sorted({table for erasure in self.pending for table in erasure.raw_tables}))

    def with_erasures(self, found: Iterable[Erasure]) -> Register:
        """Return the register with more of them."""
        return Register((*self.erasures, *found))

    def carried_out(self, run_id: str, moment: datetime) -> Register:
        """Return the register in which a night has carried out everything that was pending."""
        return Register(
            tuple(
                erasure if erasure.erased_at else replace(erasure, erased_at=moment, run_id=run_id)
                for erasure in self.erasures
            )
        )


def tombstone(hash_key: str, identifier_key: str) -> str:
    """Return the tombstone of an identifier key, as macro `tombstone` computes it."""
    return hashlib.sha256(f"{hash_key}erased:{identifier_key}".encode()).hexdigest()


def tombstones(hash_key: str, identifier_keys: Sequence[str], customer_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the tombstones of a person: of the identifiers and of every published id."""
    keys = [*identifier_keys, *(f"{CUSTOMER_ID}:{customer_id}" for customer_id in customer_ids)]
    return tuple(sorted({tombstone(hash_key, key) for key in keys}))


def read(path: Path, hash_key: str) -> Register:
    """Read the register; an empty one where nobody was ever erased.

    Raises:
        ErasureError: It cannot be read, or its tombstones were made with another key: erased persons would
            come back.
    """
    if not path.is_file():
        return Register()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        erasures = tuple(_erasure(entry) for entry in content["erasures"])
        check = content["key_check"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ErasureError(
            f"The register of erasures {path} cannot be read ({type(error).__name__}); restore it from a "
            "backup: without it erased persons would come back."
        ) from error
    if check != tombstone(hash_key, _CHECK):
        raise ErasureError(
            f"The tombstones in {path} were made with another hash key: erased persons would come back; "
            "set ENGAGEMENT_HASH_KEY, or restore hash.key, as it was."
        )
    return Register(erasures)


def write(path: Path, register: Register, hash_key: str) -> None:
    """Put a register in place of the former one, whole or not at all; it is its owner's alone."""
    content = {
        "key_check": tombstone(hash_key, _CHECK),
        "erasures": [asdict(erasure) for erasure in register.erasures],
    }
    with replacing(path, _MODE) as temporary:
        temporary.write_text(json.dumps(content, indent=1, default=_text) + "\n", encoding="utf-8")


def _erasure(entry: Mapping[str, object]) -> Erasure:
    values = dict(entry)
    for name in ("request_ids", "tombstones", "raw_tables"):
        values[name] = tuple(values[name])  # type: ignore[arg-type]
    for name in ("requested_at", "recorded_at", "erased_at"):
        if values[name] is not None:
            values[name] = datetime.fromisoformat(str(values[name]))
    return Erasure(**values)  # type: ignore[arg-type]


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in the register")
