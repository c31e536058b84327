"""Tools for tables (CSV files) and JSON files."""

from __future__ import annotations

import codecs
import contextlib
import csv
import itertools
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tools import workspace
from tools.dates import parse_day
from tools.errors import ToolError
from tools.files import _decoded, _existing_file
from tools.numbers import _exact, _plain

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

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
    "json_value",
    "json_count",
    "json_names",
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
    return list(_layout(_existing_file(path)).names)


def count_rows(path: Path, where: str = "") -> int:
    """Count the rows, the records, of a CSV table (the header not counted), or those that meet a condition.

    Asked as: how many rows …; how many … have; number of rows in …; count the rows of …; how many records in …; how
        many entries does the table … have; rows where …; how many lines of data in …

    Effect: read

    Args:
        path: the CSV file.
        where: a condition such as `day = Sun and kilos > 3`; all rows where none is given.

    >>> count_rows(workspace.inside("catch.csv"))
    4
    >>> count_rows(workspace.inside("catch.csv"), "day = Sun and kilos > 3")
    1
    """
    with _opened(path) as table:
        return int(table.row("count(*)", where)[0])


def column_values(path: Path, column: str, where: str = "") -> list[str]:
    """List the values of a column of a CSV table; empty cells are left out.

    Asked as: values of the column …; the … column of; list the … in; all values of … in; show the column …; every …
        in the table

    Effect: read

    Args:
        path: the CSV file.
        column: the column.
        where: a condition such as `day = Sun`; all rows where none is given.

    >>> column_values(workspace.inside("catch.csv"), "fish")
    ['cod', 'eel', 'cod', 'bass']
    >>> column_values(workspace.inside("catch.csv"), "kilos", "day = Sun")
    ['3.20', '2.50']
    """
    with _opened(path) as table:
        cell = table.cell(column)
        rows = table.rows(f"SELECT {cell} FROM t WHERE {{where}} AND {cell} IS NOT NULL ORDER BY rowid", where)
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
    return _measured(path, column, where, "sum")


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
    return _measured(path, column, where, "mean")


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
    return _measured(path, column, where, "median")


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
    return _extreme(path, column, where, "min")


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
    return _extreme(path, column, where, "max")


def filter_rows(path: Path, where: str) -> list[dict[str, Any]]:
    """Give the rows of a CSV table that meet a condition.

    Asked as: rows where …; show the rows with …; which rows have …; filter … by; the records with … in; all entries
        whose … is; select the rows of … where

    Effect: read

    Args:
        path: the CSV file.
        where: a condition such as `day = Sun and kilos > 3`, with = != > >= < <=; quote a value that has spaces.

    >>> filter_rows(workspace.inside("catch.csv"), "kilos > 5")
    [{'day': 'Mon', 'fish': 'bass', 'kilos': 6.5}]
    >>> filter_rows(workspace.inside("catch.csv"), "fish = shark")
    []
    """
    with _opened(path) as table:
        return table.dicts(table.rows("SELECT * FROM t WHERE {where} ORDER BY rowid", where))


def group_rows(
    path: Path,
    by: str,
    measure: Literal["count", "sum", "mean", "min", "max"] = "count",
    column: str = "",
    where: str = "",
) -> dict[str, float]:
    """Group the rows of a CSV table by a column, and count each group or take its sum, mean, minimum or maximum.

    Asked as: … per; … for each; … by; how many rows per …; average … for each; total … per; count by …; … grouped by;
        group … by; breakdown of … by

    Effect: read

    Args:
        path: the CSV file.
        by: the column whose values make the groups.
        measure: what is given of each group.
        column: the column of numbers that is measured; not needed to count.
        where: a condition such as `day = Sun`; all rows where none is given.

    >>> group_rows(workspace.inside("catch.csv"), "day")
    {'Sat': 1, 'Sun': 2, 'Mon': 1}
    >>> group_rows(workspace.inside("catch.csv"), "fish", "sum", "kilos")
    {'cod': 7.1, 'eel': 3.2, 'bass': 6.5}
    """
    with _opened(path) as table:
        key = f"coalesce(trim({table.cell(by)}), '(empty)')"
        value = "count(*)"
        if measure != "count":
            if not column:
                raise ToolError(f"the {measure} of which column? name one of {table.listed()}")
            value = _measure_sql(measure, table.cell(column), _exactly(table, column, where))
        rows = table.rows(f"SELECT {key}, {value} FROM t WHERE {{where}} GROUP BY 1 ORDER BY min(rowid)", where)
        return {str(group): _tidy(result) for group, result in rows if result is not None}


def sort_rows(path: Path, by: str, descending: bool = True, count: int = 10) -> list[dict[str, Any]]:
    """Sort the rows of a CSV table by a column and give the first few: the top, or the bottom.

    Asked as: top … rows by; the … rows with the highest; rows of … sorted by; sort … by; the rows with the lowest …;
        the … largest by; row with the biggest …; order the table … by; which … has the highest; which … has the lowest

    Effect: read

    Args:
        path: the CSV file.
        by: the column to sort by: numbers, dates or text, whichever it holds.
        descending: the largest, latest first; otherwise the smallest, earliest.
        count: how many rows to give.

    >>> sort_rows(workspace.inside("catch.csv"), "kilos", count=1)
    [{'day': 'Mon', 'fish': 'bass', 'kilos': 6.5}]
    >>> [row["fish"] for row in sort_rows(workspace.inside("catch.csv"), "fish", descending=False)]
    ['bass', 'cod', 'cod', 'eel']
    """
    if count < 1:
        raise ToolError(f"{count} is not a number of rows to give; ask for 1 or more")
    with _opened(path) as table:
        key = _sort_key(table, table.cell(by))
        order = f"{key} {'DESC' if descending else 'ASC'} NULLS LAST, rowid"
        return table.dicts(table.rows(f"SELECT * FROM t WHERE {{where}} ORDER BY {order} LIMIT {count}"))


def json_value(path: Path, query: str) -> Any:
    """Look up a value in a JSON file by its path.

    Asked as: value of … in; the … in the json file; what is … set to in; the setting … of; look up … in; get … from;
        read the key … of; which … does the configuration have

    Effect: read

    Args:
        path: the JSON file.
        query: a path such as server.port or stations[0].name; stations[].name gives that of each (JMESPath).

    >>> json_value(workspace.inside("port.json"), "server.port")
    8417
    >>> json_value(workspace.inside("port.json"), "stations[].name")
    ['South', 'East']
    """
    return _looked_up(path, query)


def json_count(path: Path, query: str = "@") -> int:
    """Count the entries of a list, or the keys of an object, in a JSON file.

    Asked as: how many … in the json file; how many … does … list; number of … in; count the … in; how many entries
        does … have; how many keys are in …; length of the list … in

    Effect: read

    Args:
        path: the JSON file.
        query: the path of the list or object, such as stations; the whole file where none is given.

    >>> json_count(workspace.inside("port.json"), "stations")
    2
    >>> json_count(workspace.inside("port.json"))
    2
    """
    found = _looked_up(path, query)
    if not isinstance(found, (list, dict)):
        raise ToolError(f"{_place(query)} of {workspace.shown(path)} is {_sort_of(found)}, not a list to count")
    return len(found)


def json_names(path: Path, query: str = "@") -> list[str]:
    """List the names in a JSON file: the keys of an object, or the name (title, id) of each entry of a list.

    Asked as: names of the … in; … names in the json file; list the … in; keys of …; which keys does … have; which …
        are in the configuration; the titles of the … in

    Effect: read

    Args:
        path: the JSON file.
        query: the path of the list or object, such as stations; the whole file where none is given.

    >>> json_names(workspace.inside("port.json"), "stations")
    ['South', 'East']
    >>> json_names(workspace.inside("port.json"))
    ['server', 'stations']
    """
    found = _looked_up(path, query)
    if isinstance(found, dict):
        return [str(key) for key in found]
    if not isinstance(found, list):
        raise ToolError(f"{_place(query)} of {workspace.shown(path)} is {_sort_of(found)}, which has no names")
    return [_name_of(entry, path, query) for entry in found]


# --- Tables. The layout is found here and told to DuckDB: its own sniffer drops rows of uneven files silently.

_SAMPLE = 256 * 1024  # bytes of a table's head that its layout is judged by
_DELIMITERS = (",", ";", "\t", "|")
_NUMERIC = re.compile(r"[-+−]?\s?[$€£¥]?\s?(?:\d[\d., ]*|\.\d+)(?:[eE][-+]?\d+)?\s?[%$€£¥]?")
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,15})?")

_MACROS = r"""
CREATE MACRO present(x) AS
    CASE WHEN lower(trim(x)) IN ('', 'na', 'n/a', 'nan', 'null', 'none', '-', '–', '?') THEN NULL ELSE trim(x) END;
CREATE MACRO bare(x) AS regexp_replace(replace(trim(x), '−', '-'), '[$€£¥%]|^\s+|\s+$', '', 'g');
CREATE MACRO unspaced(x) AS
    CASE WHEN regexp_full_match(x, '\s*[-+]?\s*\d{1,3}([ \x{00a0}\x{202f}]\d{3})+([.,]\d+)?\s*')
    THEN regexp_replace(x, '[ \x{00a0}\x{202f}]', '', 'g') ELSE trim(x) END;
CREATE MACRO digits(x) AS CASE
    WHEN regexp_full_match(x, '[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?') THEN x
    WHEN {thousands} AND regexp_full_match(x, '[-+]?\d{1,3}(,\d{3})+(\.\d+)?') THEN replace(x, ',', '')
    WHEN regexp_full_match(x, '[-+]?(\d{1,3}(\.\d{3})+|\d+),\d+') THEN replace(replace(x, '.', ''), ',', '.')
    END;
CREATE MACRO rough(x) AS TRY_CAST(digits(unspaced(bare(present(x)))) AS DOUBLE);
CREATE MACRO exact(x) AS TRY_CAST(digits(unspaced(bare(present(x)))) AS DECIMAL(38, 12));
"""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a CSV file is written."""

    names: tuple[str, ...]
    delimiter: str
    skipped: int  # lines above the header
    header: bool


@dataclass(frozen=True, slots=True)
class _Table:
    """A CSV file in DuckDB: the table t, its columns c0, c1 … all as the text that the file holds."""

    layout: _Layout
    shown: str
    engine: DuckDBPyConnection

    def cell(self, column: str) -> str:
        """The SQL name of a column; an error that names the columns where there is no such one."""
        for key in (str, str.lower, _key):
            for number, name in enumerate(self.layout.names):
                if key(name) == key(column.strip()):
                    return f"c{number}"
        raise ToolError(f"{self.shown} has no column {column.strip()!r}; its columns are {self.listed()}")

    def listed(self) -> str:
        return ", ".join(self.layout.names)

    def rows(self, sql: str, where: str = "") -> list[tuple[Any, ...]]:
        """The rows of a query, with `{where}` in it standing for the condition."""
        condition, values = _condition(self, where)
        found: list[tuple[Any, ...]] = self.engine.execute(sql.replace("{where}", condition), values).fetchall()
        return found

    def row(self, what: str, where: str = "") -> tuple[Any, ...]:
        return self.rows(f"SELECT {what} FROM t WHERE {{where}}", where)[0]

    def dicts(self, rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        return [dict(zip(self.layout.names, map(_value, row), strict=True)) for row in rows]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Table]:
    import duckdb

    layout, shown = _layout(_existing_file(path)), workspace.shown(path)
    with _readable(path) as file, duckdb.connect() as engine:
        _confine(engine, file)
        try:
            engine.execute(_MACROS.replace("{thousands}", str(layout.delimiter != ";")))
            engine.execute(f"CREATE TABLE t AS SELECT * FROM {_reader(layout)} WHERE {_some_cell(layout)}", [str(file)])
        except duckdb.Error as error:
            raise ToolError(_unreadable(shown, str(error), layout)) from None
        yield _Table(layout, shown, engine)


def _confine(engine: DuckDBPyConnection, file: Path) -> None:
    """Leave the engine this one file and nothing else: no other file, no network, no extensions, and no way back."""
    allowed = str(file).replace("'", "''")
    engine.execute(f"SET allowed_paths = ['{allowed}']")
    engine.execute("SET enable_external_access = false; SET lock_configuration = true")


def _reader(layout: _Layout) -> str:
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(layout.names)))
    return (
        f"read_csv(?, auto_detect = false, header = {layout.header}, skip = {layout.skipped}, "
        f"delim = '{layout.delimiter}', quote = '\"', escape = '\"', "
        f"columns = {{{columns}}})"
    )


def _some_cell(layout: _Layout) -> str:
    """Blank lines are no rows."""
    return f"coalesce({', '.join(f'c{number}' for number in range(len(layout.names)))}, NULL) IS NOT NULL"


def _unreadable(shown: str, error: str, layout: _Layout) -> str:
    line = re.search(r"CSV Error on Line: (\d+)", error)
    fields = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", error)
    if line and fields:
        return f"{shown} is no even table: line {line[1]} has {fields[2]} cells, the header {fields[1]}; mend that line"
    if "quote" in error:
        return f"{shown} is no even table: a quote is not closed" + (f" from line {line[1]} on" if line else "")
    return f"{shown} cannot be read as a table: {error.splitlines()[0]}"


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[Path]:
    """The file, or a copy in a scratch folder where it is not plain UTF-8 with one kind of line ending."""
    if not set("*?[").intersection(str(path)) and _is_plain(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / "table.csv"
        text = _decoded(path.read_bytes(), workspace.shown(path))
        copy.write_bytes(re.sub(r"\r\n?", "\n", text).encode())
        yield copy


def _is_plain(path: Path) -> bool:
    """Whether a file is UTF-8 with one kind of line ending, read a part at a time."""
    decoder, endings, last = codecs.getincrementaldecoder("utf-8")(), set(), b""
    with path.open("rb") as file:
        for part in iter(lambda: file.read(2**20), b""):
            endings |= set(re.findall(rb"\r\n|\r|\n", last + part.removesuffix(b"\r")))
            last = b"\r" if part.endswith(b"\r") else b""
            try:
                decoder.decode(part)
            except UnicodeDecodeError:
                return False
            if b"\0" in part:
                return False
    return len(endings) <= 1 and not decoder.getstate()[0]


def _layout(path: Path) -> _Layout:
    """How a table is written: which delimiter makes the most even rows, where the header is, what the columns are."""
    shown = workspace.shown(path)
    with path.open("rb") as file:
        data = file.read(_SAMPLE)
    if len(data) == _SAMPLE:  # not to end within a line or a letter
        data = data[: data.rfind(b"\n") + 1] or data
    lines = _decoded(data, shown).splitlines()
    above = list(itertools.takewhile(lambda line: not line.strip() or line.startswith(("#", "sep=")), lines))
    lines = lines[len(above) :]
    if not lines:
        raise ToolError(f"{shown} is empty, so it holds no table")
    delimiter = max(_DELIMITERS, key=lambda mark: _evenness(lines, mark))
    first = next(csv.reader(lines, delimiter=delimiter))
    header = not all(_NUMERIC.fullmatch(cell.strip()) for cell in first)
    return _Layout(_named(first if header else [""] * len(first)), delimiter, len(above), header)


def _evenness(lines: list[str], delimiter: str) -> tuple[float, int]:
    """How many of the rows have as many cells as the first, and how many those are; nothing for a single column."""
    try:
        widths = [len(row) for row in itertools.islice(csv.reader(lines, delimiter=delimiter), 200) if row]
    except csv.Error:
        return 0, 0
    if widths[0] < 2:
        return 0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def _named(header: list[str]) -> tuple[str, ...]:
    """The names of the columns, each of its own."""
    names: list[str] = []
    for number, cell in enumerate(header, 1):
        name = " ".join(cell.split()) or f"column {number}"
        names.append(name if name not in names else f"{name} {number}")
    return tuple(names)


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower()) or name


def _value(cell: str | None) -> Any:
    """A cell as a number where it is plainly one; 007 and the like stay text."""
    if cell is None:
        return None
    return _plain(_exact(Decimal(cell))) if _PLAIN_NUMBER.fullmatch(cell) else cell


def _tidy(value: Any) -> int | float:
    """A result of DuckDB as a plain number, without what binary fractions leave behind the fifteenth digit."""
    if isinstance(value, float):
        value = Decimal(f"{value:.15g}")
    if isinstance(value, Decimal) and not value.is_finite():
        raise ToolError("the result is too large to be written down")
    return _plain(_exact(value))


def _measured(path: Path, column: str, where: str, measure: str) -> int | float:
    with _opened(path) as table:
        exact = _exactly(table, column, where)
        return _tidy(table.row(_measure_sql(measure, table.cell(column), exact), where)[0])


def _measure_sql(measure: str, cell: str, exact: bool) -> str:
    number = f"{'exact' if exact else 'rough'}({cell})"
    total = f"sum({number})" if exact else f"kahan_sum({number})"
    # The mean of decimals is not divided as decimals: that would cut it to their scale
    return {"sum": total, "mean": f"{total}::DOUBLE / count({number})"}.get(measure, f"{measure}({number})")


def _exactly(table: _Table, column: str, where: str) -> bool:
    """Whether a column can be added up in decimals; an error where it does not hold numbers."""
    cell = table.cell(column)
    number = f"rough({cell})"
    rows, filled, numbers, other, largest, exact = table.row(
        f"count(*), count(present({cell})), count({number}), "
        f"min(present({cell})) FILTER ({number} IS NULL), max(abs({number})), "
        f"bool_and(abs(exact({cell})::DOUBLE - {number}) <= 1e-9 * abs({number})) FILTER ({number} IS NOT NULL)",
        where,
    )
    named = f"the column {column} of {table.shown}"
    if not rows:
        raise ToolError(_nothing_met(table, where))
    if not filled:
        raise ToolError(f"{named} is empty{' where ' + where if where else ''}")
    if not numbers:
        raise ToolError(f"{named} holds text such as {other!r}, no numbers; {_numeric(table)}")
    if numbers < filled:
        raise ToolError(f"{named} has {filled - numbers} of {filled} values that are no numbers, such as {other!r}; "
                        f"leave them out by a condition such as {column} != {other!r}")  # fmt: skip
    return bool(exact) and largest * rows < 1e25  # what the decimals of DuckDB can hold


def _numeric(table: _Table) -> str:
    """Which columns hold numbers: told to whoever asked for the sum of one that does not."""
    counts = table.row(", ".join(f"count(rough(c{number}))" for number in range(len(table.layout.names))))
    names = [name for name, count in zip(table.layout.names, counts, strict=True) if count]
    return f"numbers are in {', '.join(names)}" if names else "no column holds numbers"


def _nothing_met(table: _Table, where: str) -> str:
    """What the columns of a condition that no row meets do hold."""
    told = []
    for column, _, _ in _comparisons(where):
        cell = table.cell(column)
        rows = table.rows(f"SELECT {cell} FROM t WHERE {cell} IS NOT NULL GROUP BY 1 ORDER BY min(rowid) LIMIT 9")
        values = [str(value) for (value,) in rows]
        told.append(f"{column} holds {', '.join(values[:8])}{' …' if len(values) > 8 else ''}")
    if not told:
        return f"{table.shown} has a header and no rows"
    return f"no row of {table.shown} has {where}; {'; '.join(told)}"


def _extreme(path: Path, column: str, where: str, measure: Literal["min", "max"]) -> int | float | str:
    with _opened(path) as table:
        cell = table.cell(column)
        filled, numbers = table.row(f"count(present({cell})), count(rough({cell}))", where)
        if not filled or numbers * 2 > filled:  # a column of numbers, or one that gives its own error
            return _tidy(table.row(_measure_sql(measure, cell, _exactly(table, column, where)), where)[0])
        return str(table.row(f"arg_{measure}(trim({cell}), {_sort_key(table, cell, where)})", where)[0])


_DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y")


def _sort_key(table: _Table, cell: str, where: str = "") -> str:
    """What a column is ordered by: as numbers or dates where all it holds are such, else as text."""
    return _date_key(table, cell, where) or (
        f"rough({cell})" if _all_numbers(table, cell, where) else f"lower(present({cell}))"
    )


def _all_numbers(table: _Table, cell: str, where: str = "") -> bool:
    return bool(table.row(f"count(present({cell})) = count(rough({cell}))", where)[0])


def _date_key(table: _Table, cell: str, where: str = "") -> str | None:
    """A column as a point in time, if all it holds are dates that are written alike."""
    keys = ["TRY_CAST(x AS TIMESTAMP)", *(f"try_strptime(x, '{form}')" for form in _DAYS)]
    few = f"(SELECT present({cell}) AS x FROM t WHERE {{where}} AND present({cell}) IS NOT NULL LIMIT 100)"
    filled, *counts = table.rows(f"SELECT {', '.join(f'count({key})' for key in ['x', *keys])} FROM {few}", where)[0]
    for key, count in zip(keys, counts, strict=True):  # what holds of a few is then asked of all
        key = key.replace("(x", f"(present({cell})")
        if filled and count == filled and table.row(f"count(present({cell})) = count({key})", where)[0]:
            return key
    return None


_OPERATOR = re.compile(r"\s*(==|!=|<>|<=|>=|≠|≤|≥|=|<|>)\s*")
_SQL_OPERATOR = {"==": "=", "<>": "!=", "≠": "!=", "≤": "<=", "≥": ">="}
_AND = r"\s+(?:and|AND|&&)(?:\s+|$)"
_QUOTED = r"\"[^\"]*\"|'[^']*'|`[^`]*`"


def _condition(table: _Table, where: str) -> tuple[str, list[Any]]:
    """A condition as SQL, with the values apart from it: nothing that was typed becomes SQL."""
    sql, values = ["true"], list[Any]()
    for column, sign, value in _comparisons(where):
        part, needs = _comparison(table, table.cell(column), sign, value)
        sql.append(part)
        values += needs
    return " AND ".join(sql), values


def _comparisons(where: str) -> list[tuple[str, str, str]]:
    """A condition such as `day = Sun and "total bill" > 3` as column, operator and value of each part."""
    if not where.strip():
        return []
    return [_read_comparison(part) for part in _split_outside_quotes(where)]


def _split_outside_quotes(where: str) -> list[str]:
    parts = [""]
    for token in re.split(rf"({_QUOTED}|{_AND})", where.strip()):
        if re.fullmatch(_AND, token):
            parts.append("")
        else:
            parts[-1] += token
    return parts


def _read_comparison(part: str) -> tuple[str, str, str]:
    found = re.fullmatch(rf"\s*({_QUOTED}|[^=<>!≠≤≥]+?){_OPERATOR.pattern}({_QUOTED}|[^=<>!≠≤≥]+?)\s*", part)
    if not found or re.search(r"\s(?:or|OR|\|\|)\s", re.sub(_QUOTED, "", part)):
        raise ToolError(f"{part.strip()!r} is not a condition; write it as column = value, with = != > >= < <=, "
                        "parts joined by and (there is no or), and a value with signs in it in quotes")  # fmt: skip
    column, sign, value = found.groups()
    return _unquoted(column), _SQL_OPERATOR.get(sign, sign), _unquoted(value)


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if re.fullmatch(_QUOTED, text) else text


def _comparison(table: _Table, cell: str, sign: str, value: str) -> tuple[str, list[Any]]:
    """One comparison as SQL: of numbers, of dates or of text without regard to case."""
    number, day = _numeral(value), parse_day(value)
    if sign in ("=", "!="):
        same, values = [f"lower(trim(coalesce({cell}, ''))) = lower(?)"], list[Any]([value.strip()])
        if number is not None:
            same, values = [*same, f"rough({cell}) = ?"], [*values, number]
        elif day and (key := _date_key(table, cell)):
            same, values = [*same, f"{key}::DATE = ?"], [*values, day]
        either = f"coalesce({' OR '.join(same)}, false)"
        return (either if sign == "=" else f"NOT {either}"), values
    if number is not None:
        return f"rough({cell}) {sign} ?", [number]
    if day and (key := _date_key(table, cell)):
        return f"{key}::DATE {sign} ?", [day]
    if _all_numbers(table, cell):
        name = table.layout.names[int(cell[1:])]
        raise ToolError(f"the column {name} holds numbers, and {value!r} is none; compare it with a number")
    return f"lower(present({cell})) {sign} lower(?)", [value]


def _numeral(value: str) -> float | None:
    plain = re.sub(r"[$€£¥%\s]", "", value).replace("−", "-")
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", plain):
        plain = plain.replace(",", "")
    return float(plain) if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", plain) else None


# --- JSON


def _loaded(path: Path) -> Any:
    shown = workspace.shown(path)
    text = _decoded(_existing_file(path).read_bytes(), shown)
    try:
        return json.loads(text)
    except RecursionError:
        raise ToolError(f"{shown} is nested too deep to be read as JSON") from None
    except ValueError as error:
        lines = _json_lines(text)
        if lines is not None:
            return lines
        at = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise ToolError(f"{shown} is not JSON ({at})") from None


def _json_lines(text: str) -> list[Any] | None:
    """A file of one JSON object a line is a list of them."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        return [json.loads(line) for line in lines] if len(lines) > 1 and lines[0].lstrip()[0] in "{[" else None
    except ValueError:
        return None


def _looked_up(path: Path, query: str) -> Any:
    """What a query finds in a file; an error that names what is there where it finds nothing."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    data, query = _loaded(path), query.strip().removeprefix("$").removeprefix(".") or "@"
    parts = _steps(query)
    if parts is not None:  # a plain path is walked, since only so is it known where it breaks off
        return _walked(data, parts, path)
    try:
        return jmespath.search(query, data)
    except (JMESPathError, ValueError) as error:
        raise ToolError(f"{query} is not a path into JSON ({str(error).splitlines()[0]}); write one such as "
                        "server.port or stations[].name") from None  # fmt: skip


def _steps(query: str) -> list[str | int] | None:
    """The keys and places of a plain path such as a.b-c[0]."name"; None where the query is more than that."""
    if query == "@":
        return []
    step = r"""(?:[^\W\d][\w $-]*|"[^"]*"|\d+|\[(?:-?\d*|'[^']*'|"[^"]*")\])"""
    if not re.fullmatch(rf"{step}(?:\.{step}|\[(?:-?\d*|'[^']*'|\"[^\"]*\")\])*", query):
        return None
    found = re.findall(r"""\[(-?\d*)\]|\[?["']([^"']*)["']\]?|([^.\[\]"']+)""", query)
    return [int(place) if place else quoted or plain.strip() for place, quoted, plain in found]


def _walked(data: Any, steps: list[str | int], path: Path, done: str = "") -> Any:
    for number, step in enumerate(steps):
        place = f"{done} of {workspace.shown(path)}" if done else workspace.shown(path)
        if isinstance(data, list) and (step == "" or (isinstance(step, str) and not step.isdigit())):
            rest = steps[number + 1 :] if step == "" else steps[number:]  # stations.name is that of each station
            return _of_each(data, rest, path, done)
        data = _step(data, step, place)
        done += f"[{step}]" if isinstance(step, int) else f"{'.' if done else ''}{step}"
    return data


def _of_each(entries: list[Any], steps: list[str | int], path: Path, done: str) -> list[Any]:
    """What a path leads to in each entry of a list; those that lack it are left out, unless all do."""
    found, lacking = [], []
    for number, entry in enumerate(entries):
        try:
            found.append(_walked(entry, steps, path, f"{done}[{number}]"))
        except ToolError as error:
            lacking.append(error)
    if lacking and not found:
        raise lacking[0]
    return found


def _step(data: Any, step: str | int, place: str) -> Any:
    if isinstance(data, dict):
        keys = {str(key): key for key in reversed(data)}
        for alike in (str, str.lower, _key):
            for name, key in keys.items():
                if alike(name) == alike(str(step)):
                    return data[key]
        raise ToolError(f"{place} has no {step!r}; its keys are {', '.join(list(data)[:20]) or 'none'}")
    if isinstance(data, list):
        if -len(data) <= int(step) < len(data):
            return data[int(step)]
        raise ToolError(f"{place} has no entry {step}; it has {len(data)}, and the first is 0")
    raise ToolError(f"{place} is {_sort_of(data)}, so it has no {step!r} in it")


_NAME_KEYS = ("name", "title", "label", "id", "key", "code", "username", "email", "path", "url")


def _name_of(entry: Any, path: Path, query: str) -> str:
    if isinstance(entry, dict):
        low = {str(key).lower(): value for key, value in entry.items()}
        named = next((key for key in (*_NAME_KEYS, *(key for key in low if key.endswith("name"))) if key in low), None)
        if named is None:
            raise ToolError(f"the entries of {_place(query)} in {workspace.shown(path)} have no name; their keys are "
                            f"{', '.join(entry)}; ask for one as {query}[].{next(iter(entry), 'key')}")  # fmt: skip
        entry = low[named]
    return entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=False)


def _place(query: str) -> str:
    return "the whole" if query in ("", "@") else query


def _sort_of(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "nothing (null)" if value is None else "true or false"
    kinds: dict[type, str] = {str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")
