"""Tools for tables: CSV files, and JSON files that hold a list of objects."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from tools.errors import ToolError
from tools.schema import as_csv, as_text
from tools.sheet import Sheet, extreme, measured, measured_sql, opened, sort_key, tidy

__all__ = [
    "column_names",
    "count_rows",
    "column_values",
    "column_sum",
    "column_mean",
    "column_median",
    "column_min",
    "column_max",
    "filter_rows",
    "group_rows",
    "sort_rows",
    "add_column",
    "join_tables",
    "format_rows",
]


def column_names(path: Path) -> list[str]:
    """List the columns of a CSV table: its header.

    Asked as: columns of …; column names in …; which columns does … have; header of …; the fields of the table …; what
        columns are in …

    Effect: read

    Args:
        path: the CSV file.

    >>> column_names(workspace.inside("catch.csv"))
    ['day', 'fish', 'kilos']
    >>> len(column_names(workspace.inside("catch.csv")))
    3
    """
    with opened(path) as table:
        return list(table.layout.names)


def count_rows(path: Path, where: str = "") -> int:
    """Count the rows, the records, of a CSV table (the header not counted), or those that meet a condition.

    Asked as: how many rows …; how many … have; number of rows in …; count the rows of …; how many records in …; how
        many entries does the table … have; how many lines of data in …

    Effect: read

    Args:
        path: the CSV file.
        where: a condition such as `day = Sun and kilos > 3`; all rows where none is given.

    >>> count_rows(workspace.inside("catch.csv"))
    4
    >>> count_rows(workspace.inside("catch.csv"), "day = Sun and kilos > 3")
    1
    """
    with opened(path) as table:
        return int(table.row("count(*)", where)[0])


def column_values(
    path: Path, column: str, where: str = "", by: str = "", descending: bool = False, count: int = 0
) -> list[str]:
    """List the values of a column of a table, of all rows or of those that are chosen; empty cells are left out.

    Asked as: values of the column …; the … column of; list the … in; all values of … in; show the column …; every …
        in the table; which … has the highest; which … has the lowest; who has the highest; who has the lowest

    Effect: read

    Args:
        path: the CSV file, or a JSON file with a list of objects.
        column: the column.
        where: a condition such as `day = Sun`; all rows where none is given.
        by: the column to sort by; as they come where none is named.
        descending: the largest, latest first; otherwise the smallest, earliest.
        count: of how many rows; of all where it is 0.

    >>> column_values(workspace.inside("catch.csv"), "kilos", "day = Sun")
    ['3.20', '2.50']
    >>> column_values(workspace.inside("catch.csv"), "fish", by="kilos", descending=True, count=2)
    ['bass', 'cod']
    """
    with opened(path) as table:
        cell = table.cell(column)
        order = _order(table, by, descending, count)
        rows = table.rows(f"SELECT {cell} FROM t WHERE {{where}} AND {cell} IS NOT NULL ORDER BY {order}", where)
        return [str(value) for (value,) in rows]


def column_sum(path: Path, column: str, where: str = "") -> int | float:
    """Add up a column of a CSV table: its sum, its total.

    Asked as: sum of the column …; total of … in; add up the … in; sum up …; what do the … come to; how many …
        altogether; how much … in all; how much …; how many …; the total … of all rows; the sum of …

    Effect: read

    Args:
        path: the CSV file.
        column: the column of numbers.
        where: a condition such as `day = Sun`; all rows where none is given.

    >>> column_sum(workspace.inside("catch.csv"), "kilos")
    16.8
    >>> column_sum(workspace.inside("catch.csv"), "kilos", "day = Sun")
    5.7
    """
    return measured(path, column, where, "sum")


def column_mean(path: Path, column: str, where: str = "") -> int | float:
    """Take the average, the mean, of a column of a CSV table.

    Asked as: average of the column …; the average … in; mean of …; mean … in; what is the … on average; the typical
        …; average value of …

    Effect: read

    Args:
        path: the CSV file.
        column: the column of numbers; empty cells do not count.
        where: a condition such as `day = Sun`; all rows where none is given.

    >>> column_mean(workspace.inside("catch.csv"), "kilos")
    4.2
    >>> column_mean(workspace.inside("catch.csv"), "kilos", "fish = cod")
    3.55
    """
    return measured(path, column, where, "mean")


def column_median(path: Path, column: str, where: str = "") -> int | float:
    """Take the median, the middle value, of a column of a CSV table.

    Asked as: median of the column …; the median … in; median …; middle value of …; the middle … in the table

    Effect: read

    Args:
        path: the CSV file.
        column: the column of numbers; empty cells do not count.
        where: a condition such as `day = Sun`; all rows where none is given.

    >>> column_median(workspace.inside("catch.csv"), "kilos")
    3.9
    >>> column_median(workspace.inside("catch.csv"), "kilos", "day = Sun")
    2.85
    """
    return measured(path, column, where, "median")


def column_min(path: Path, column: str, where: str = "") -> int | float | str:
    """Find the smallest value, the minimum, of a column of a CSV table: number, date (the earliest) or text.

    Asked as: smallest … in; the lowest … in; minimum of the column …; the least … in; the earliest … in; the minimum
        …; the cheapest …; the shortest …

    Effect: read

    Args:
        path: the CSV file.
        column: the column of numbers or dates; of text, the first or last in the alphabet.
        where: a condition such as `day = Sun`; all rows where none is given.

    >>> column_min(workspace.inside("catch.csv"), "kilos")
    2.5
    >>> column_min(workspace.inside("catch.csv"), "fish")
    'bass'
    """
    return extreme(path, column, where, "min")


def column_max(path: Path, column: str, where: str = "") -> int | float | str:
    """Find the largest value, the maximum, of a column of a CSV table: number, date (the latest) or text.

    Asked as: largest … in; the highest … in; maximum of the column …; the biggest … in; the greatest … in; the top …;
        the latest … in; the maximum …; the longest …; the dearest …

    Effect: read

    Args:
        path: the CSV file.
        column: the column of numbers or dates; of text, the first or last in the alphabet.
        where: a condition such as `day = Sun`; all rows where none is given.

    >>> column_max(workspace.inside("catch.csv"), "kilos")
    6.5
    >>> column_max(workspace.inside("catch.csv"), "kilos", "day = Sun")
    3.2
    """
    return extreme(path, column, where, "max")


def filter_rows(
    path: Path,
    where: str = "",
    columns: list[str] = [],  # noqa: B006
    without: list[str] = [],  # noqa: B006
) -> list[dict[str, Any]]:
    """Give the rows of a table, or those that meet a condition, with all columns or some.

    Asked as: rows where …; show the rows with …; which rows have …; filter … by; the records with … in; all entries
        whose … is; select the rows of … where; the … columns of; only the columns …; the table …

    Effect: read

    Args:
        path: the CSV file, or a JSON file with a list of objects.
        where: a condition such as `day = Sun and kilos > 3`, with = != > >= < <=, contains, starts with, ends with,
            and, or; quote a value that has spaces.
        columns: the columns to give, in this order; all where none is named.
        without: columns to leave out.

    >>> filter_rows(workspace.inside("catch.csv"), "kilos > 5")
    [{'day': 'Mon', 'fish': 'bass', 'kilos': 6.5}]
    >>> filter_rows(workspace.inside("catch.csv"), "fish = cod or day = Mon", ["fish", "day"])[0]
    {'fish': 'cod', 'day': 'Sat'}
    """
    with opened(path) as table:
        out = [_name(table, column) for column in without]
        return _rows(table, columns or [name for name in table.layout.names if name not in out], where, "rowid")


def group_rows(
    path: Path,
    by: str,
    measure: Literal["count", "sum", "mean", "median", "min", "max"] = "count",
    column: str = "",
    where: str = "",
    order: Literal["first seen", "ascending", "descending"] = "first seen",
    count: int = 0,
) -> dict[str, float]:
    """Group the rows of a table by a column, and count each group or take its sum, mean, median, minimum or maximum.

    Asked as: … per; … for each; … by; how many rows per …; average … for each; total … per; count by …; … grouped by;
        group … by; breakdown of … by

    Effect: read

    Args:
        path: the CSV file, or a JSON file with a list of objects.
        by: the column whose values make the groups.
        measure: what is given of each group.
        column: the column of numbers that is measured; not needed to count.
        where: a condition such as `day = Sun`; all rows where none is given.
        order: the groups as they come in the table, or by what is given of them.
        count: how many groups to give; all where it is 0.

    >>> group_rows(workspace.inside("catch.csv"), "day")
    {'Sat': 1, 'Sun': 2, 'Mon': 1}
    >>> group_rows(workspace.inside("catch.csv"), "fish", "sum", "kilos", order="descending", count=2)
    {'cod': 7.1, 'bass': 6.5}
    """
    with opened(path) as table:
        key = f"coalesce(trim({table.cell(by)}), '(empty)')"
        value = "count(*)"
        if measure != "count":
            if not column:
                raise ToolError(f"the {measure} of which column? name one of {table.listed()}")
            value = measured_sql(table, measure, column, where)
        way = {"ascending": f"{value},", "descending": f"{value} DESC,"}.get(order, "")
        rows = table.rows(f"SELECT {key}, {value} FROM t WHERE {{where}} GROUP BY 1 ORDER BY {way} min(rowid)", where)
        groups = [(str(group), tidy(result)) for group, result in rows if result is not None]
        return dict(groups[: count or None])


def sort_rows(
    path: Path,
    by: str,
    descending: bool = False,
    count: int = 0,
    where: str = "",
    columns: list[str] = [],  # noqa: B006
) -> list[dict[str, Any]]:
    """Sort the rows of a table by a column and give them all, or the first few: the top, or the bottom.

    Asked as: top … rows by; the … rows with the highest; rows of … sorted by; sort … by; the rows with the lowest …;
        the … largest by; row with the biggest …; order the table … by; which … has the highest; which … has the lowest

    Effect: read

    Args:
        path: the CSV file, or a JSON file with a list of objects.
        by: the column to sort by: numbers, dates or text, whichever it holds.
        descending: the largest, latest first; otherwise the smallest, earliest.
        count: how many rows to give; all where it is 0.
        where: a condition such as `day = Sun`; all rows where none is given.
        columns: the columns to give, in this order; all where none is named.

    >>> sort_rows(workspace.inside("catch.csv"), "kilos", descending=True, count=1)
    [{'day': 'Mon', 'fish': 'bass', 'kilos': 6.5}]
    >>> [row["fish"] for row in sort_rows(workspace.inside("catch.csv"), "fish", columns=["fish"])]
    ['bass', 'cod', 'cod', 'eel']
    """
    with opened(path) as table:
        return _rows(table, columns, where, _order(table, by, descending, count))


def add_column(path: Path, name: str, formula: str) -> list[dict[str, Any]]:
    """Add a column to a table that is calculated from others, and give all rows with it.

    Asked as: add a column … to; add … as a new column; with a new column …; with an extra column …

    Effect: read

    Args:
        path: the CSV file, or a JSON file with a list of objects.
        name: what to call the new column.
        formula: a calculation over columns and numbers such as quantity * price, with + - * / and brackets.

    >>> add_column(workspace.inside("catch.csv"), "pounds", "kilos * 2.2")[0]
    {'day': 'Sat', 'fish': 'cod', 'kilos': '4.60', 'pounds': 10.12}
    >>> list(add_column(workspace.inside("catch.csv"), "half", "kilos / 2")[0])
    ['day', 'fish', 'kilos', 'half']
    """
    with opened(path) as table:
        return table.dicts([*table.layout.names, name], [*table.layout.names, formula])


def join_tables(first: Path, second: Path, on: str = "") -> list[dict[str, Any]]:
    """Join two tables by a column that both have: each row of the first with the columns of the second that go with it.

    Asked as: join … and … by; join … with; combine … and … on; match … with; merge the tables …; look up each … of

    Effect: read

    Args:
        first: a CSV file, or a JSON file with a list of objects; rows that have no match are left out.
        second: the other file.
        on: the column; the one that both have where none is named.

    >>> join_tables(workspace.inside("catch.csv"), workspace.inside("catch.csv"), "day")[0]
    {'day': 'Sat', 'fish': 'cod', 'kilos': '4.60'}
    >>> len(join_tables(workspace.inside("catch.csv"), workspace.inside("catch.csv"), "fish"))
    6
    """
    with opened(first) as left, opened(second) as right:
        key = on or _shared(left, right)
        mine, theirs = _name(left, key), _name(right, key)
        rows = right.dicts(right.layout.names)
        found = [
            other | row
            for row in left.dicts(left.layout.names)
            for other in rows
            if as_text(row[mine]).strip().lower() == as_text(other[theirs]).strip().lower()
        ]
        order = dict.fromkeys([*left.layout.names, *(n for n in right.layout.names if n != theirs)])
        return [{name: row[name] for name in order} for row in found]


def format_rows(rows: list[dict[str, Any]], form: Literal["csv", "json", "markdown"]) -> str:
    r"""Write rows out in a format: CSV, JSON or a Markdown table.

    Asked as: convert … to json; convert … to csv; … as json; … as csv; … as a markdown table; turn … into json; turn
        … into csv; turn … into a markdown table; … in json format; … in csv format; … in markdown

    Args:
        rows: the rows, all with the same columns.
        form: the format.

    >>> format_rows([{"day": "Sat", "kilos": 2}], "markdown")
    '| day | kilos |\n| --- | --- |\n| Sat | 2 |'
    >>> format_rows([{"day": "Sat", "kilos": "2.50"}], "csv")
    'day,kilos\nSat,2.50'
    """
    if form == "json":
        return json.dumps([{name: _number(cell) for name, cell in row.items()} for row in rows], indent=2,
                          ensure_ascii=False)  # fmt: skip
    if form == "csv":
        return as_csv(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, ["---"] * len(names), *([as_text(row.get(name)) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in cells)


def _rows(table: Sheet, columns: Sequence[str], where: str, order: str) -> list[dict[str, Any]]:
    names = [_name(table, column) for column in columns] or table.layout.names
    return table.dicts(names, where=where, order=order)


def _order(table: Sheet, by: str, descending: bool, count: int) -> str:
    """The end of a query: what its rows are ordered by, and how many are wanted."""
    if count < 0:
        raise ToolError(f"{count} is not a number of rows to give; ask for 1 or more, or for all with 0")
    key = f"{sort_key(table, table.cell(by))} {'DESC' if descending else 'ASC'} NULLS LAST, " if by else ""
    return f"{key}rowid" + (f" LIMIT {count}" if count else "")


def _name(table: Sheet, column: str) -> str:
    """A column as the header spells it; raises ToolError where there is no such one."""
    table.cell(column)
    place = table.place(column)
    return column if place is None else table.layout.names[place]


def _shared(left: Sheet, right: Sheet) -> str:
    both = [name for name in left.layout.names if right.place(name) is not None]
    if len(both) != 1:
        what = f"share the columns {', '.join(both)}" if both else "share no column"
        raise ToolError(f"{left.shown} and {right.shown} {what}; name the one to join on")
    return both[0]


def _number(cell: Any) -> Any:
    """A cell as JSON has it: what is plainly a number is one."""
    plain = isinstance(cell, str) and re.fullmatch(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,9})?", cell)
    return json.loads(cell) if plain else cell
