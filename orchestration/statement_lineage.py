"""Which columns of its tables the columns of one query are made of, read off the query itself.

Works on SQL that sqlglot has parsed and qualified; knows nothing of dbt and of files. What a window is
partitioned and ordered by belongs to the value, and so does what the rows that it counts are grouped by; what
only decides which rows there are (filters, joins, groups) is told apart.
What does NOT belong here: the way through several models (`orchestration.lineage`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp, parse_one
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

DIALECT = "duckdb"
# A column as it stands, a value computed row by row, a value computed over several rows.
DIRECT, DERIVED, AGGREGATED = "direct", "derived", "aggregated"
# What decides about rows rather than values.
ROWS = "rows"
_STRENGTH = (DIRECT, DERIVED, AGGREGATED)

Table = tuple[str, str]


class LineageError(RuntimeError):
    """A query is not understood; the message says where."""


@dataclass(frozen=True, order=True)
class Origin:
    """A column of a table that a query reads.

    Attributes:
        schema: Schema of the table.
        table: Its name.
        column: The column.
    """

    schema: str
    table: str
    column: str


# Column to what it is made of, each with the kind of its making.
Origins = dict[Origin, str]


@dataclass(frozen=True)
class StatementLineage:
    """Where the columns of a query come from.

    Attributes:
        columns: Column to its origins, in the order of the query.
        rows: Origins that decide which rows there are.
    """

    columns: Mapping[str, Origins]
    rows: frozenset[Origin] = field(default_factory=frozenset)


def weaker(first: str, second: str) -> str:
    """Return the kind of a value made in two steps: the one that is further from a plain copy."""
    return max(first, second, key=_STRENGTH.index)


def lineage_of(sql: str, tables: Mapping[Table, Sequence[str]]) -> StatementLineage:
    """Return where the columns of a query come from.

    Args:
        sql: One select.
        tables: Schema and name of every table it may read to the table's columns.

    Raises:
        LineageError: It is no select, or it does something that this module cannot follow: then it must not
            pass for understood.
    """
    tree = parse_one(sql, dialect=DIALECT)
    _refuse(tree)
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
    schema: dict[str, object] = {}
    for name in {name for name, _ in tables}:
        schema[name] = {
            table: dict.fromkeys(columns, "unknown")
            for (owner, table), columns in tables.items()
            if owner == name
        }
    qualified = qualify(
        tree,
        dialect=DIALECT,
        schema=schema,
        validate_qualify_columns=False,
        quote_identifiers=False,
        identify=False,
    )
    walk = _Walk(qualified)
    return StatementLineage(walk.columns_of(walk.root), frozenset(walk.rows()))


def _refuse(tree: exp.Expr) -> None:
    if not isinstance(tree, exp.Query):
        raise LineageError(f"{type(tree).__name__} is no select")
    for kind, words in ((exp.Pivot, "PIVOT"), (exp.Columns, "COLUMNS()")):
        if tree.find(kind) is not None:
            raise LineageError(f"{words} cannot be followed; name the columns")


class _Walk:
    """The scopes of one query, each asked once."""

    def __init__(self, query: exp.Expr) -> None:
        self._scopes = {id(scope.expression): scope for scope in traverse_scope(query)}
        self.root = self._scopes[id(query)]
        self._known: dict[int, dict[str, Origins]] = {}

    def columns_of(self, scope: Scope) -> dict[str, Origins]:
        """Return the origins of a scope's columns."""
        key = id(scope.expression)
        if key not in self._known:
            # a recursive part finds what the other part gives
            self._known[key] = {}
            self._known[key] = (
                self._of_union(scope)
                if isinstance(scope.expression, exp.SetOperation)
                else self._of_select(scope)
            )
        return self._known[key]

    def rows(self) -> Iterator[Origin]:
        """Yield what filters, joins and groups of any part of the query look at."""
        for scope in self._scopes.values():
            if not isinstance(scope.expression, exp.Select):
                continue
            for clause in self._row_clauses(scope.expression):
                yield from self._origins(clause, scope)

    @staticmethod
    def _row_clauses(select: exp.Select) -> Iterator[exp.Expr]:
        for name in ("where", "group", "having", "qualify", "distinct"):
            clause = select.args.get(name)
            if isinstance(clause, exp.Expr):
                yield clause
        yield from select.args.get("joins") or ()

    def _of_union(self, scope: Scope) -> dict[str, Origins]:
        left, right = (
            self.columns_of(self._scopes[id(part.unnest())])
            for part in (scope.expression.this, scope.expression.expression)
        )
        if scope.expression.args.get("by_name"):
            pairs = [(name, left.get(name, {}), right.get(name, {})) for name in {**left, **right}]
        else:
            if len(left) != len(right) and right:
                raise LineageError(f"a union of {len(left)} and {len(right)} columns")
            others = list(right.values()) or [{}] * len(left)
            pairs = [(name, left[name], other) for name, other in zip(left, others, strict=True)]
        return {name: _joined(one, other) for name, one, other in pairs}

    def _of_select(self, scope: Scope) -> dict[str, Origins]:
        select = scope.expression
        if not isinstance(select, exp.Select):
            raise LineageError(f"{type(select).__name__} is no select")
        windows = {
            window.this.name.lower(): window
            for window in select.args.get("windows") or ()
            if window.this is not None
        }
        found: dict[str, Origins] = {}
        for projection in select.selects:
            if projection.is_star:
                raise LineageError(f"a star is left in: {select.sql(DIALECT)[:200]}")
            value = projection.unalias()
            origins = self._origins(value, scope)
            kind = _kind(value)
            for window in value.find_all(exp.Window):
                named = windows.get(str(window.args.get("alias") or "").lower())
                if named is not None:
                    origins = _joined(origins, self._origins(named, scope))
            group = select.args.get("group")
            if group is not None and _counts_rows(value, origins):
                origins = _joined(origins, self._origins(group, scope))
            found[projection.alias_or_name] = {origin: weaker(kind, how) for origin, how in origins.items()}
        return found

    def _origins(self, expression: exp.Expr, scope: Scope) -> Origins:
        """Return the origins of all columns in an expression, nested queries included."""
        found: Origins = {}
        for column in expression.find_all(exp.Column):
            holder = self._scope_of(column, scope)
            found = _joined(found, self._of_column(column, holder))
        return found

    def _scope_of(self, column: exp.Column, scope: Scope) -> Scope:
        select = column.find_ancestor(exp.Select)
        return self._scopes.get(id(select), scope)

    def _of_column(self, column: exp.Column, scope: Scope) -> Origins:
        source = self._source(column.table, scope)
        if isinstance(source, exp.Table):
            if not source.db:
                return {}
            return {Origin(source.db, source.name, column.name): DIRECT}
        if isinstance(source, Scope):
            return self.columns_of(source).get(column.name, {})
        return {}

    @staticmethod
    def _source(name: str, scope: Scope | None) -> exp.Expr | Scope | None:
        """Return what a table's alias stands for, in this query or in one around it."""
        while scope is not None:
            if name in scope.sources:
                source: exp.Expr | Scope = scope.sources[name]
                return source
            scope = scope.parent
        return None


def _counts_rows(value: exp.Expr, origins: Origins) -> bool:
    """Whether a value counts the rows of a group: then it is made of what the rows are grouped by."""
    if value.find(exp.AggFunc) is None:
        return False
    return not origins or any(isinstance(count.this, exp.Star) for count in value.find_all(exp.Count))


def _kind(value: exp.Expr) -> str:
    if value.find(exp.AggFunc, exp.Window) is not None:
        return AGGREGATED
    while isinstance(value, exp.Paren | exp.Cast):
        value = value.this
    return DIRECT if isinstance(value, exp.Column) else DERIVED


def _joined(one: Origins, other: Origins) -> Origins:
    found = dict(one)
    for origin, kind in other.items():
        found[origin] = weaker(found.get(origin, kind), kind)
    return found
