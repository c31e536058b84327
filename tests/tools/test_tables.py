import csv
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools import documents, sheet, tables, workspace
from tools.errors import ToolError
from tools.schema import as_text

TIPS = """name,total bill,tip,day,when
A,10.10,0.1,Sun,2024-03-01
B,20.20,0.2,Sat,2024-01-15
C,,NA,Sun,2023-12-31
D,5,0.3,Mon,2024-02-01
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    workspace.enter(tmp_path)
    return tmp_path


def file(content: str | bytes, name: str = "t.csv") -> Path:
    path = workspace.inside(name)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("a,b\n1,é\n", "t.csv"),
        ("a;b\n1;é\n", "t.csv"),
        ("a\tb\n1\té\n", "t.tsv"),
        ("a|b\n1|é\n", "t.csv"),
        ("\ufeffa,b\n1,é\n", "t.csv"),
        ("sep=;\na;b\n1;é\n", "t.csv"),
        ("# made by hand\n\na,b\n1,é\n", "t.csv"),
        ("a,b\r\n1,é\n", "t.csv"),
        ("a,b\r1,é\r", "t.csv"),
        ("a,b\n\n1,é\n\n", "t.csv"),
        ('"a","b"\n"1","é"', "t.csv"),
        (" a , b \n1,é\n", "t.csv"),
        ("a,b\n1,é\n".encode("utf-16"), "t.csv"),
        ("a,b\n1,é\n".encode("cp1252"), "t.csv"),
        ("a,b\n1,é\n", "it's [a] *.csv"),
    ],
)
def test_reads_a_table_however_it_is_written(content: str | bytes, name: str) -> None:
    path = file(content, name)
    assert tables.column_names(path) == ["a", "b"]
    assert tables.sort_rows(path, "a") == [{"a": 1, "b": "é"}]


def test_names_columns_that_have_no_name_of_their_own() -> None:
    assert tables.column_names(file("a,a,,b c\n1,2,3,4\n")) == ["a", "a 2", "column 3", "b c"]
    assert tables.column_names(file("1,2\n3,4\n")) == ["column 1", "column 2"]
    assert tables.count_rows(file("1,2\n3,4\n")) == 2
    assert tables.column_names(file("country,2019,2020\nFR,1,2\n")) == ["country", "2019", "2020"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("a,b,c\n1,2,3\n6,7,8,9\n", "line 3 has 4 cells, the header 3"),
        ("a,b,c\n1,2,3\n6,7\n", "line 3 has 2 cells, the header 3"),
        ('a,b\n"1,2\n3,4\n', "a quote is not closed"),
        (b"\0\1\2\n", "not a text file"),
        ("words\nthis, is prose\n", "line 2 has 2 cells, the header 1"),
    ],
)
def test_what_is_no_table_is_told(content: str | bytes, told: str) -> None:
    with pytest.raises(ToolError, match=told):
        tables.count_rows(file(content))


def test_a_table_that_is_not_there_is_told() -> None:
    file(TIPS, "tips.csv")
    with pytest.raises(ToolError, match=r"no file tip\.csv; did you mean tips\.csv"):
        tables.column_names(workspace.inside("tip.csv"))
    with pytest.raises(ToolError, match="is a folder"):
        tables.count_rows(workspace.inside("."))


def test_measures_columns_exactly() -> None:
    path = file(TIPS)
    assert tables.column_sum(path, "tip") == 0.6
    assert tables.column_mean(path, "TIP") == 0.2
    assert tables.column_median(path, "total_bill") == 10.1
    assert (tables.column_min(path, "total bill"), tables.column_max(path, "total bill")) == (5, 20.2)
    assert (tables.column_min(path, "when"), tables.column_max(path, "when")) == ("2023-12-31", "2024-03-01")
    assert (tables.column_min(path, "name"), tables.column_max(path, "name")) == ("A", "D")
    assert tables.column_values(path, "total bill") == ["10.10", "20.20", "5"]


@pytest.mark.parametrize(
    ("cells", "total"),
    [
        (["1,250.50", "$2", "5%"], 1257.5),
        (["1 234", "−34"], 1200),
        (["12345678901234567", "1"], 12345678901234568),
        (["1e300", "1e-20"], 1e300),
        (["0.1"] * 1000, 100),
    ],
)
def test_reads_numbers_as_people_write_them(cells: list[str], total: float) -> None:
    path = file("v,w\n" + "".join(f'"{cell}",x\n' for cell in cells))
    assert tables.column_sum(path, "v") == pytest.approx(total, rel=1e-15)


def test_a_comma_is_a_decimal_one_where_semicolons_part() -> None:
    assert tables.column_sum(file("v;w\n1,500;a\n1.234,25;b\n2;c\n"), "v") == 1237.75
    assert tables.column_max(file("when;w\n02.01.2024;a\n13.01.2023;b\n"), "when") == "02.01.2024"


@pytest.mark.parametrize(
    ("column", "where", "told"),
    [
        ("nix", "", "no column 'nix'; its columns are name, total bill, tip, day, when"),
        ("tip", "nix = 1", "no column 'nix'"),
        ("name", "", "holds text such as 'A', no numbers; numbers are in total bill, tip"),
        ("tip", "day = Sunday", "no row of t.csv has day = Sunday; day holds Sun, Sat, Mon"),
        ("tip", "name = C", "the column tip of t.csv is empty where name = C"),
        ("tip", "tip > abc", "the column tip holds numbers, and 'abc' is none"),
        ("tip", "day", "'day' is not a condition"),
        ("tip", "day = Sun and", "'' is not a condition"),
        ("tip", "day = Sun or Sat", "'Sat' is not a condition"),
        ("tip", "day ~ Sun", "is not a condition"),
    ],
)
def test_columns_and_conditions_that_do_not_fit_are_told(column: str, where: str, told: str) -> None:
    with pytest.raises(ToolError) as error:
        tables.column_mean(file(TIPS), column, where)
    assert told in str(error.value)


def test_values_that_are_no_numbers_are_not_passed_over() -> None:
    path = file("v,w\n1,a\nabc,b\n4,c\n")
    with pytest.raises(ToolError, match="1 of 3 values that are no numbers, such as 'abc'"):
        tables.column_sum(path, "v")
    with pytest.raises(ToolError, match="no numbers"):
        tables.column_max(path, "v")
    assert tables.column_sum(path, "v", "v != abc") == 5
    with pytest.raises(ToolError, match="a header and no rows"):
        tables.column_sum(file("a,b\n"), "a")
    with pytest.raises(ToolError, match="too large"):
        tables.column_sum(file("v,w\n1e308,a\n1e308,b\n"), "v")


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("", 4),
        ("day = sun", 2),
        ("day == 'Sun' AND tip <= 0.1", 1),
        ('"total bill" >= 20.2', 1),
        ("total bill<=10.1", 2),
        ("total_bill = 10.1", 1),
        ("day != Sun", 2),
        ("tip <> 0.1", 3),
        ("when < 2024-02-01", 2),
        ('when = "1 March 2024"', 1),
        ("when ≥ 15/01/2024", 3),
        ("name > B", 2),
        ('total bill = ""', 1),
        ("day = Sun'; DROP TABLE t; --", 0),
        ('day = "\' OR 1 = 1 --"', 0),
        ("day = 'x and y'", 0),
        ("day = Sun or day = Sat", 3),
        ("day = Sun and tip = 0.1 or day = Mon", 2),
        ("day contains U", 2),
        ("day not contains u", 2),
        ("name starts with a or name ends with d", 2),
        ("total bill * 2 = 10", 1),
    ],
)
def test_conditions(where: str, count: int) -> None:
    path = file(TIPS)
    assert tables.count_rows(path, where) == count


def test_no_other_file_can_be_read(folder: Path) -> None:
    file("a,b\nsecret,1\n", "other.csv")
    with sheet.opened(file(TIPS)) as table:
        for sql in (
            f"SELECT * FROM read_csv('{folder}/other.csv')",
            f"SELECT * FROM '{folder}/other.csv'",
            f"SELECT * FROM glob('{folder}/*')",
            f"COPY t TO '{folder}/out.csv'",
            "SET enable_external_access = true",
            "SET allowed_directories = ['/']",
            "INSTALL httpfs",
        ):
            with pytest.raises(duckdb.Error, match="Cannot access|Cannot change|Catalog Error|disabled"):
                table.engine.execute(sql)
    assert not (folder / "out.csv").exists()


def test_groups_in_the_order_of_the_table() -> None:
    path = file(TIPS)
    assert list(tables.group_rows(path, "day").items()) == [("Sun", 2), ("Sat", 1), ("Mon", 1)]
    assert list(tables.group_rows(path, "day", order="ascending", count=2)) == ["Sat", "Mon"]
    assert tables.group_rows(path, "day", "mean", "tip") == {"Sun": 0.1, "Sat": 0.2, "Mon": 0.3}
    assert tables.group_rows(path, "day", "max", "total bill", "name != A") == {"Sat": 20.2, "Mon": 5}
    with pytest.raises(ToolError, match="the sum of which column"):
        tables.group_rows(path, "day", "sum")


def test_sorts_by_what_the_column_holds() -> None:
    path = file(TIPS)
    assert [row["name"] for row in tables.sort_rows(path, "when", descending=True)] == ["A", "D", "B", "C"]
    assert [row["name"] for row in tables.sort_rows(path, "total bill")] == ["D", "A", "B", "C"]
    assert tables.sort_rows(path, "total bill", descending=True, count=1)[0]["total bill"] == "20.20"
    with pytest.raises(ToolError, match="ask for 1 or more"):
        tables.sort_rows(path, "when", count=-1)


def test_identifiers_stay_as_they_are_written() -> None:
    path = file("id,v\n007,1.50\n")
    assert tables.filter_rows(path, "v = 1.5") == [{"id": "007", "v": "1.50"}]
    assert json.loads(tables.format_rows(tables.filter_rows(path), "json")) == [{"id": "007", "v": 1.5}]


def test_rows_are_shown_and_written_as_the_table_they_came_from() -> None:
    assert as_text(tables.filter_rows(file(TIPS))) == TIPS.strip()
    assert as_text(tables.filter_rows(file(TIPS), "day = Sat", ["tip", "name"])) == "tip,name\n0.2,B"


def test_a_column_may_be_calculated() -> None:
    path = file("item,n,price\na,2,1.10\nb,3,0.20\n")
    assert tables.column_sum(path, "n * price") == 2.8
    assert tables.sort_rows(path, "n * price", columns=["item"]) == [{"item": "b"}, {"item": "a"}]
    assert [row["each"] for row in tables.add_column(path, "each", "(price + 1) / n")] == [1.05, 0.4]
    with pytest.raises(ToolError, match="no column 'n \\* cost'"):
        tables.column_sum(path, "n * cost")
    with pytest.raises(ToolError, match="no column"):
        tables.add_column(path, "x", "n; DROP TABLE t")


def test_tables_are_joined_by_a_column_that_both_have() -> None:
    people = file("id,name\n1,Ann\n2,Bo\n", "people.csv")
    visits = file("day,id,fee\nMon,2,5\nTue,2,6\nWed,3,7\n", "visits.csv")
    assert as_text(tables.join_tables(visits, people)) == "day,id,fee,name\nMon,2,5,Bo\nTue,2,6,Bo"
    with pytest.raises(ToolError, match="share no column"):
        tables.join_tables(people, file("a,b\n1,2\n"))
    with pytest.raises(ToolError, match="has no column 'day'"):
        tables.join_tables(visits, people, "day")


def test_a_list_of_objects_is_a_table() -> None:
    path = file(
        json.dumps({"at": "dock", "boats": [{"name": "Tern", "seats": 8}, {"name": "Auk", "seats": 3}]}), "b.json"
    )
    assert tables.column_values(path, "name", "seats > 4") == ["Tern"]
    assert tables.sort_rows(path, "seats", columns=["name"]) == [{"name": "Auk"}, {"name": "Tern"}]
    with pytest.raises(ToolError, match="several lists of objects"):
        tables.count_rows(file('{"a": [{"x": 1}], "b": [{"x": 1}]}', "c.json"))
    with pytest.raises(ToolError, match="no list of objects"):
        tables.count_rows(file('{"a": 1}', "d.json"))


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), min_size=1, max_size=10)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8))
def test_every_cell_is_read_as_it_was_written(folder: Path, rows: list[tuple[str, str]]) -> None:
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("first", "second"), *rows])
    path = file(written.getvalue())
    assert tables.column_values(path, "first") == [first for first, _ in rows]
    assert tables.column_values(path, "second") == [second for _, second in rows]


CONFIG = {
    "server": {"port": 8417, "host-name": "x", "none": None},
    "stations": [{"name": "South", "d": 1}, {"name": "East", "d": 2, "note": "n"}],
    "list": [3, 4],
    "a b": 1,
    "s": "t",
}


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("server.port", 8417), ("Server.Port", 8417), ("$.server.port", 8417), ('server["port"]', 8417),
        ("server.host-name", "x"), ("server.host_name", "x"), ("a b", 1), ("server.none", None), ("@", CONFIG),
        ("stations[].name", ["South", "East"]), ("stations.name", ["South", "East"]), ("stations[*].d", [1, 2]),
        ("stations[].note", ["n"]), ("stations[0].name", "South"), ("stations[-1].name", "East"), ("list[1]", 4),
        ("stations[?d > `1`].name", ["East"]), ("length(stations)", 2), ("sum(stations[].d)", 3),
    ],
)  # fmt: skip
def test_looks_up_json(query: str, value: Any) -> None:
    assert documents.json_value(file(json.dumps(CONFIG), "c.json"), query) == value


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("server.prt", "server of c.json has no 'prt'; its keys are port, host-name, none"),
        ("nope", "c.json has no 'nope'; its keys are server, stations"),
        ("stations[].nope", "stations[0] of c.json has no 'nope'; its keys are name, d"),
        ("stations[9]", "stations of c.json has no entry 9; it has 2"),
        ("s.x", "s of c.json is a text"),
        ("list[0", "is not a path into JSON"),
        ("sum(s)", "is not a path into JSON"),
        ("nofunction(s)", "is not a path into JSON"),
    ],
)
def test_what_is_not_in_json_is_told(query: str, told: str) -> None:
    with pytest.raises(ToolError) as error:
        documents.json_value(file(json.dumps(CONFIG), "c.json"), query)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"a": 1,}', r"not JSON \(line 1"),
        ("", "not JSON"),
        ("[" * 100_000, "nested too deep"),
        (b"\0\1", "not a text file"),
    ],
)
def test_what_is_no_json_is_told(content: str | bytes, told: str) -> None:
    with pytest.raises(ToolError, match=told):
        documents.json_value(file(content, "c.json"), "a")


def test_counts_and_names() -> None:
    path = file(json.dumps(CONFIG), "c.json")
    assert (
        documents.json_count(path),
        documents.json_count(path, "stations"),
        documents.json_count(path, "server"),
    ) == (5, 2, 3)
    assert documents.json_names(path, "list") == ["3", "4"]
    assert documents.json_names(path, "server") == ["port", "host-name", "none"]
    assert documents.json_names(file('[{"id": 7}, {"id": 8}]', "l.json")) == ["7", "8"]
    assert documents.json_value(file('{"a": 1}\n{"a": 2}\n', "l.jsonl"), "[].a") == [1, 2]
    for function in (documents.json_count, documents.json_names):
        with pytest.raises(ToolError, match="s of c.json is a text"):
            function(path, "s")
    with pytest.raises(ToolError, match=r"have no name; their keys are q; ask for one as list\[\]\.q"):
        documents.json_names(file('{"list": [{"q": 1}]}', "q.json"), "list")
