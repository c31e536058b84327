import csv
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools import data, workspace
from tools.errors import ToolError

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
    assert data.column_names(path) == ["a", "b"]
    assert data.sort_rows(path, "a") == [{"a": 1, "b": "é"}]


def test_names_columns_that_have_no_name_of_their_own() -> None:
    assert data.column_names(file("a,a,,b c\n1,2,3,4\n")) == ["a", "a 2", "column 3", "b c"]
    assert data.column_names(file("1,2\n3,4\n")) == ["column 1", "column 2"]
    assert data.count_rows(file("1,2\n3,4\n")) == 2
    assert data.column_names(file("country,2019,2020\nFR,1,2\n")) == ["country", "2019", "2020"]


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
        data.count_rows(file(content))


def test_a_table_that_is_not_there_is_told() -> None:
    file(TIPS, "tips.csv")
    with pytest.raises(ToolError, match=r"no file tip\.csv; did you mean tips\.csv"):
        data.column_names(workspace.inside("tip.csv"))
    with pytest.raises(ToolError, match="is a folder"):
        data.count_rows(workspace.inside("."))


def test_measures_columns_exactly() -> None:
    path = file(TIPS)
    assert data.column_sum(path, "tip") == 0.6
    assert data.column_mean(path, "TIP") == 0.2
    assert data.column_median(path, "total_bill") == 10.1
    assert (data.column_min(path, "total bill"), data.column_max(path, "total bill")) == (5, 20.2)
    assert (data.column_min(path, "when"), data.column_max(path, "when")) == ("2023-12-31", "2024-03-01")
    assert (data.column_min(path, "name"), data.column_max(path, "name")) == ("A", "D")
    assert data.column_values(path, "total bill") == ["10.10", "20.20", "5"]


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
    assert data.column_sum(path, "v") == pytest.approx(total, rel=1e-15)


def test_a_comma_is_a_decimal_one_where_semicolons_part() -> None:
    assert data.column_sum(file("v;w\n1,500;a\n1.234,25;b\n2;c\n"), "v") == 1237.75
    assert data.column_max(file("when;w\n02.01.2024;a\n13.01.2023;b\n"), "when") == "02.01.2024"


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
        ("tip", "day = Sun or Sat", "there is no or"),
        ("tip", "day = Sun or day = Sat", "there is no or"),
        ("tip", "day ~ Sun", "is not a condition"),
    ],
)
def test_columns_and_conditions_that_do_not_fit_are_told(column: str, where: str, told: str) -> None:
    with pytest.raises(ToolError) as error:
        data.column_mean(file(TIPS), column, where)
    assert told in str(error.value)


def test_values_that_are_no_numbers_are_not_passed_over() -> None:
    path = file("v,w\n1,a\nabc,b\n4,c\n")
    with pytest.raises(ToolError, match="1 of 3 values that are no numbers, such as 'abc'"):
        data.column_sum(path, "v")
    with pytest.raises(ToolError, match="no numbers"):
        data.column_max(path, "v")
    assert data.column_sum(path, "v", "v != abc") == 5
    with pytest.raises(ToolError, match="a header and no rows"):
        data.column_sum(file("a,b\n"), "a")
    with pytest.raises(ToolError, match="too large"):
        data.column_sum(file("v,w\n1e308,a\n1e308,b\n"), "v")


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
    ],
)
def test_conditions(where: str, count: int) -> None:
    path = file(TIPS)
    assert data.count_rows(path, where) == count


def test_no_other_file_can_be_read(folder: Path) -> None:
    file("a,b\nsecret,1\n", "other.csv")
    with data._opened(file(TIPS)) as table:
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
    assert list(data.group_rows(path, "day").items()) == [("Sun", 2), ("Sat", 1), ("Mon", 1)]
    assert data.group_rows(path, "day", "mean", "tip") == {"Sun": 0.1, "Sat": 0.2, "Mon": 0.3}
    assert data.group_rows(path, "day", "max", "total bill", "name != A") == {"Sat": 20.2, "Mon": 5}
    with pytest.raises(ToolError, match="the sum of which column"):
        data.group_rows(path, "day", "sum")


def test_sorts_by_what_the_column_holds() -> None:
    path = file(TIPS)
    assert [row["name"] for row in data.sort_rows(path, "when")] == ["A", "D", "B", "C"]
    assert [row["name"] for row in data.sort_rows(path, "total bill", descending=False)] == ["D", "A", "B", "C"]
    assert data.sort_rows(path, "total bill", count=1)[0]["total bill"] == 20.2
    with pytest.raises(ToolError, match="ask for 1 or more"):
        data.sort_rows(path, "when", count=0)


def test_identifiers_stay_as_they_are_written() -> None:
    assert data.filter_rows(file("id,v\n007,1.50\n"), "v = 1.5") == [{"id": "007", "v": 1.5}]


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), min_size=1, max_size=10)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8))
def test_every_cell_is_read_as_it_was_written(folder: Path, rows: list[tuple[str, str]]) -> None:
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("first", "second"), *rows])
    path = file(written.getvalue())
    assert data.column_values(path, "first") == [first for first, _ in rows]
    assert data.column_values(path, "second") == [second for _, second in rows]


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
    assert data.json_value(file(json.dumps(CONFIG), "c.json"), query) == value


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
        data.json_value(file(json.dumps(CONFIG), "c.json"), query)
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
        data.json_value(file(content, "c.json"), "a")


def test_counts_and_names() -> None:
    path = file(json.dumps(CONFIG), "c.json")
    assert (data.json_count(path), data.json_count(path, "stations"), data.json_count(path, "server")) == (5, 2, 3)
    assert data.json_names(path, "list") == ["3", "4"]
    assert data.json_names(path, "server") == ["port", "host-name", "none"]
    assert data.json_names(file('[{"id": 7}, {"id": 8}]', "l.json")) == ["7", "8"]
    assert data.json_value(file('{"a": 1}\n{"a": 2}\n', "l.jsonl"), "[].a") == [1, 2]
    for function in (data.json_count, data.json_names):
        with pytest.raises(ToolError, match="s of c.json is a text"):
            function(path, "s")
    with pytest.raises(ToolError, match=r"have no name; their keys are q; ask for one as list\[\]\.q"):
        data.json_names(file('{"list": [{"q": 1}]}', "q.json"), "list")
