"""A table in DuckDB, its cells the text that the file holds; a JSON file with one list of objects is a table too.

How a file is written is found here and told to DuckDB: its own sniffer drops rows of uneven files silently.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import itertools
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tools import documents, workspace
from tools.conditions import Comparison, comparisons, parsed
from tools.dates import parse_day
from tools.errors import ToolError
from tools.files import _decoded, _existing_file
from tools.numbers import _exact, _plain
from tools.schema import as_csv

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SAMPLE = 256 * 1024  # bytes of a table's head that its layout is judged by
_DELIMITERS = (",", ";", "\t", "|")
_NUMERIC = re.compile(r"[-+−]?\s?[$€£¥]?\s?(?:\d[\d., ]*|\.\d+)(?:[eE][-+]?\d+)?\s?[%$€£¥]?")
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{0,8}[1-9])?")

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
class Layout:
    """How a CSV file is written."""

    names: tuple[str, ...]
    delimiter: str
    skipped: int  # lines above the header
    header: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """A CSV file in DuckDB: the table t, its columns c0, c1 … all as the text that the file holds."""

    layout: Layout
    shown: str
    engine: DuckDBPyConnection

    def cell(self, column: str) -> str:
        """The SQL of a column, or of a calculation over columns such as `quantity * price`.

        Raises ToolError, naming the columns, where there is no such one.
        """
        number = self.place(column)
        if number is not None:
            return f"c{number}"
        calculated = self._calculated(column)
        if calculated is None:
            raise ToolError(f"{self.shown} has no column {column.strip()!r}; its columns are {self.listed()}")
        return calculated

    def place(self, column: str) -> int | None:
        """Which column a name means, however its words are joined."""
        for key in (str, str.lower, _key):
            for number, name in enumerate(self.layout.names):
                if key(name) == key(column.strip()):
                    return number
        return None

    def _calculated(self, formula: str) -> str | None:
        """Arithmetic over columns and numbers as SQL: text with fifteen digits, as a cell would hold it."""
        parts = [part.strip() for part in re.split(r"([-+*/()])", formula) if part.strip()]
        if len(parts) < 2:
            return None
        sql = []
        for part in parts:
            number = self.place(part)
            if number is not None:
                sql.append(f"rough(c{number})")
            elif re.fullmatch(r"[-+*/()]|\d+(\.\d+)?", part):
                sql.append(part)
            else:
                return None
        return f"(printf('%.15g', ({' '.join(sql)})::DOUBLE))"

    def listed(self) -> str:
        return ", ".join(self.layout.names)

    def rows(self, sql: str, where: str = "") -> list[tuple[Any, ...]]:
        """The rows of a query, with `{where}` in it standing for the condition."""
        condition, values = _condition(self, where)
        found: list[tuple[Any, ...]] = self.engine.execute(sql.replace("{where}", condition), values).fetchall()
        return found

    def row(self, what: str, where: str = "") -> tuple[Any, ...]:
        return self.rows(f"SELECT {what} FROM t WHERE {{where}}", where)[0]

    def dicts(
        self, names: Sequence[str], columns: Sequence[str] = (), where: str = "", order: str = "rowid"
    ) -> list[dict[str, Any]]:
        """Rows as objects with these names for these columns, which are the same where none are given.

        A column of numbers that lose nothing as such holds numbers, another what the file has.
        """
        cells = ", ".join(self.cell(column) for column in columns or names)
        rows = self.rows(f"SELECT {cells} FROM t WHERE {{where}} ORDER BY {order}", where)
        typed = [_typed(column) for column in zip(*rows, strict=True)]
        return [dict(zip(names, row, strict=True)) for row in zip(*typed, strict=True)]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Sheet]:
    """The table that a file holds. Raises ToolError where it holds none."""
    import duckdb

    shown = workspace.shown(_existing_file(path))
    with _readable(path) as file, duckdb.connect() as engine:
        layout = layout_of(file, shown)
        _confine(engine, file)
        try:
            engine.execute(_MACROS.replace("{thousands}", str(layout.delimiter != ";")))
            engine.execute(f"CREATE TABLE t AS SELECT * FROM {_reader(layout)} WHERE {_some_cell(layout)}", [str(file)])
        except duckdb.Error as error:
            raise ToolError(_unreadable(shown, str(error), layout)) from None
        yield Sheet(layout, shown, engine)


def _confine(engine: DuckDBPyConnection, file: Path) -> None:
    """Leave the engine this one file and nothing else: no other file, no network, no extensions, and no way back."""
    allowed = str(file).replace("'", "''")
    engine.execute(f"SET allowed_paths = ['{allowed}']")
    engine.execute("SET enable_external_access = false; SET lock_configuration = true")


def _reader(layout: Layout) -> str:
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(layout.names)))
    return (
        f"read_csv(?, auto_detect = false, header = {layout.header}, skip = {layout.skipped}, "
        f"delim = '{layout.delimiter}', quote = '\"', escape = '\"', "
        f"columns = {{{columns}}})"
    )


def _some_cell(layout: Layout) -> str:
    """Blank lines are no rows."""
    return f"coalesce({', '.join(f'c{number}' for number in range(len(layout.names)))}, NULL) IS NOT NULL"


def _unreadable(shown: str, error: str, layout: Layout) -> str:
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
    if path.suffix.lower() != ".json" and not set("*?[").intersection(str(path)) and _is_plain(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / "table.csv"
        copy.write_bytes(_as_csv(path).encode())
        yield copy


def _as_csv(path: Path) -> str:
    if path.suffix.lower() == ".json":
        return as_csv(documents.records(path))
    return re.sub(r"\r\n?", "\n", _decoded(path.read_bytes(), workspace.shown(path)))


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


def layout_of(path: Path, shown: str) -> Layout:
    """How a table is written: which delimiter makes the most even rows, where the header is, what the columns are."""
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
    return Layout(_named(first if header else [""] * len(first)), delimiter, len(above), header)


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


def _typed(cells: Sequence[str | None]) -> list[Any]:
    """Cells as numbers where all that are filled would be written as they are; 007 and 1.50 stay text."""
    if all(cell is None or _PLAIN_NUMBER.fullmatch(cell) for cell in cells):
        return [None if cell is None else _plain(_exact(Decimal(cell))) for cell in cells]
    return list(cells)


def tidy(value: Any) -> int | float:
    """A result of DuckDB as a plain number, without what binary fractions leave behind the fifteenth digit."""
    if isinstance(value, float):
        value = Decimal(f"{value:.15g}")
    if isinstance(value, Decimal) and not value.is_finite():
        raise ToolError("the result is too large to be written down")
    return _plain(_exact(value))


def measured(path: Path, column: str, where: str, measure: str) -> int | float:
    with opened(path) as table:
        return tidy(table.row(measured_sql(table, measure, column, where), where)[0])


def measured_sql(table: Sheet, measure: str, column: str, where: str) -> str:
    """The SQL of a measure over a column; raises ToolError where that does not hold numbers."""
    exact = _exactly(table, column, where)
    number = f"{'exact' if exact else 'rough'}({table.cell(column)})"
    total = f"sum({number})" if exact else f"kahan_sum({number})"
    # The mean of decimals is not divided as decimals: that would cut it to their scale
    return {"sum": total, "mean": f"{total}::DOUBLE / count({number})"}.get(measure, f"{measure}({number})")


def _exactly(table: Sheet, column: str, where: str) -> bool:
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


def _numeric(table: Sheet) -> str:
    """Which columns hold numbers: told to whoever asked for the sum of one that does not."""
    counts = table.row(", ".join(f"count(rough(c{number}))" for number in range(len(table.layout.names))))
    names = [name for name, count in zip(table.layout.names, counts, strict=True) if count]
    return f"numbers are in {', '.join(names)}" if names else "no column holds numbers"


def _nothing_met(table: Sheet, where: str) -> str:
    """What the columns of a condition that no row meets do hold."""
    told = []
    for column in dict.fromkeys(one.column for one in comparisons(where)):
        cell = table.cell(column)
        rows = table.rows(f"SELECT {cell} FROM t WHERE {cell} IS NOT NULL GROUP BY 1 ORDER BY min(rowid) LIMIT 9")
        values = [str(value) for (value,) in rows]
        told.append(f"{column} holds {', '.join(values[:8])}{' …' if len(values) > 8 else ''}")
    if not told:
        return f"{table.shown} has a header and no rows"
    return f"no row of {table.shown} has {where}; {'; '.join(told)}"


def extreme(path: Path, column: str, where: str, measure: Literal["min", "max"]) -> int | float | str:
    with opened(path) as table:
        cell = table.cell(column)
        filled, numbers = table.row(f"count(present({cell})), count(rough({cell}))", where)
        if not filled or numbers * 2 > filled:  # a column of numbers, or one that gives its own error
            return tidy(table.row(measured_sql(table, measure, column, where), where)[0])
        return str(table.row(f"arg_{measure}(trim({cell}), {sort_key(table, cell, where)})", where)[0])


_DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y")


def sort_key(table: Sheet, cell: str, where: str = "") -> str:
    """What a column is ordered by: as numbers or dates where all it holds are such, else as text."""
    return _date_key(table, cell, where) or (
        f"rough({cell})" if _all_numbers(table, cell, where) else f"lower(present({cell}))"
    )


def _all_numbers(table: Sheet, cell: str, where: str = "") -> bool:
    return bool(table.row(f"count(present({cell})) = count(rough({cell}))", where)[0])


def _date_key(table: Sheet, cell: str, where: str = "") -> str | None:
    """A column as a point in time, if all it holds are dates that are written alike."""
    keys = ["TRY_CAST(x AS TIMESTAMP)", *(f"try_strptime(x, '{form}')" for form in _DAYS)]
    few = f"(SELECT present({cell}) AS x FROM t WHERE {{where}} AND present({cell}) IS NOT NULL LIMIT 100)"
    filled, *counts = table.rows(f"SELECT {', '.join(f'count({key})' for key in ['x', *keys])} FROM {few}", where)[0]
    for key, count in zip(keys, counts, strict=True):  # what holds of a few is then asked of all
        key = key.replace("(x", f"(present({cell})")
        if filled and count == filled and table.row(f"count(present({cell})) = count({key})", where)[0]:
            return key
    return None


def _condition(table: Sheet, where: str) -> tuple[str, list[Any]]:
    """A condition as SQL, with the values apart from it: nothing that was typed becomes SQL."""
    sql, values = list[str](), list[Any]()
    for either in parsed(where):
        parts = [_comparison(table, table.cell(one.column), one) for one in either]
        sql.append(" AND ".join(part for part, _ in parts))
        values += [value for _, needs in parts for value in needs]
    return f"({' OR '.join(sql)})" if sql else "true", values


def _comparison(table: Sheet, cell: str, one: Comparison) -> tuple[str, list[Any]]:
    """One comparison as SQL: of numbers, of dates or of text without regard to case."""
    sign, value = one.sign, one.value
    number, day = _numeral(value), parse_day(value)
    if sign in ("=", "!="):
        return _equality(table, cell, sign, value)
    if sign.endswith(("contains", "with")):
        part = f"{sign.removeprefix('not ').replace(' ', '_')}(lower(trim(coalesce({cell}, ''))), lower(?))"
        return (f"NOT {part}" if sign.startswith("not ") else part), [value]
    if number is not None:
        return f"rough({cell}) {sign} ?", [number]
    if day and (key := _date_key(table, cell)):
        return f"{key}::DATE {sign} ?", [day]
    if _all_numbers(table, cell):
        raise ToolError(f"the column {one.column} holds numbers, and {value!r} is none; compare it with a number")
    return f"lower(present({cell})) {sign} lower(?)", [value]


def _equality(table: Sheet, cell: str, sign: str, value: str) -> tuple[str, list[Any]]:
    number, day = _numeral(value), parse_day(value)
    same, values = [f"lower(trim(coalesce({cell}, ''))) = lower(?)"], list[Any]([value.strip()])
    if number is not None:
        same, values = [*same, f"rough({cell}) = ?"], [*values, number]
    elif day and (key := _date_key(table, cell)):
        same, values = [*same, f"{key}::DATE = ?"], [*values, day]
    either = f"coalesce({' OR '.join(same)}, false)"
    return (either if sign == "=" else f"NOT {either}"), values


def _numeral(value: str) -> float | None:
    plain = re.sub(r"[$€£¥%\s]", "", value).replace("−", "-")
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", plain):
        plain = plain.replace(",", "")
    return float(plain) if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", plain) else None
