"""Queries that are put into SQL once, for those that every message asks.

Django puts a query together anew each time it is asked, which takes two to five times as long as the database and the
reading of a row do (docs/adr/0027).
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any, Generic, ParamSpec, TypeVar

from django.db import connections
from django.db.models import QuerySet, Value
from django.db.models.sql.compiler import SQLCompiler

P = ParamSpec("P")
Row = TypeVar("Row")


def prepared(build: Callable[P, QuerySet[Any, Row]]) -> Callable[P, list[Row]]:
    """What the query that `build` gives finds, as a list.

    `build` is called once for a process, with classes as they are and a placeholder for every other argument, which it
    may only compare with a field, as in `filter(pk=pk)`. All arguments are positional. A model's instance is no
    argument: its key is. Raises `ValueError` for None, which SQL finds equal to nothing, and what the field raises for
    a value that is not one of its own.
    """
    made: dict[tuple[type | None, ...], _Prepared[Row]] = {}

    @functools.wraps(build)
    def ask(*args: P.args, **_: P.kwargs) -> list[Row]:
        if None in args:
            raise ValueError(f"{build.__qualname__} was asked for None.")
        classes = tuple(arg if isinstance(arg, type) else None for arg in args)
        if classes not in made:
            build_any: Callable[..., QuerySet[Any, Row]] = build
            made[classes] = _Prepared(build_any(*(kind or _Argument(number) for number, kind in enumerate(classes))))
        return made[classes].rows(args)

    return ask


class _Argument(Value):
    """The place of an argument in a query: `value` is which one, `field` what it is compared with."""

    field: Any = None

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self]


class _Prepared(Generic[Row]):
    """A query in SQL, with places for its arguments."""

    def __init__(self, query: QuerySet[Any, Row]) -> None:
        self._query = query
        for lookup in _lookups(query.query.where):
            if isinstance(lookup.rhs, _Argument):
                field = lookup.lhs.output_field
                lookup.rhs.field = getattr(field, "target_field", field)
        self._compiler = query.query.get_compiler(query.db)
        self._sql, self._params = self._compiler.as_sql()
        self._compiler.connection = None  # it was that of this thread
        if any(isinstance(param, _Argument) and param.field is None for param in self._params):
            raise TypeError(f"An argument is not only compared with a field: {self._sql}")

    def rows(self, args: tuple[Any, ...]) -> list[Row]:
        """Ask with these arguments."""
        query = copy.copy(self._query.query)
        query.get_compiler = lambda using, **_: self._filled(args, connections[using])  # type: ignore[method-assign]
        asked = type(self._query)(self._query.model, query, self._query.db)
        for how in ("_iterable_class", "_fields"):
            setattr(asked, how, getattr(self._query, how))
        return list(asked)

    def _filled(self, args: tuple[Any, ...], connection: Any) -> SQLCompiler:
        compiler = copy.copy(self._compiler)
        compiler.connection = connection
        params = tuple(
            param.field.get_db_prep_value(args[param.value], connection) if isinstance(param, _Argument) else param
            for param in self._params
        )
        compiler.as_sql = lambda *_, **__: (self._sql, params)
        return compiler


def _lookups(where: Any) -> Iterator[Any]:
    """The comparisons of a condition."""
    for child in where.children:
        if hasattr(child, "children"):
            yield from _lookups(child)
        elif hasattr(child, "rhs"):
            yield child
