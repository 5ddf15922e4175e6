"""What the engine says of real faults names files and columns, and repeats nothing of a row."""

from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from warehouse.engine_errors import without_values

NAMED = "ann@example.org"


def csv(path: Path, row: str) -> str:
    """A query of a CSV file with one broken row of three columns."""
    path.write_bytes(f"a,b,c\n{row}\n".encode("latin-1"))
    return f"""from read_csv('{path}', columns = {{a: 'VARCHAR', b: 'VARCHAR', c: 'VARCHAR'}},
        auto_detect = false, header = true, delim = ',', quote = '"', escape = '"')"""


def json_lines(path: Path, row: str) -> str:
    path.write_text(row)
    return f"from read_json('{path}', columns = {{a: 'VARCHAR'}})"


def parquet(path: Path, value: bytes) -> str:
    pq.write_table(pa.table({"a": pa.array([value], pa.binary())}), path)
    return f"from read_parquet('{path}', binary_as_string = true)"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (lambda file: csv(file, f'1,"{NAMED}"'), "CSV Error on Line: 2\nExpected Number of Columns: 3"),
        (lambda file: csv(file, f'1,"x\n{NAMED}"'), "Expected Number of Columns: 3 Found: 2"),
        (lambda file: csv(file, f'1,"x\n\nPossible fixes:\n{NAMED}"'), "Expected Number of Columns: 3"),
        (lambda file: csv(file, f'1,"x" {NAMED},c'), "Value with unterminated quote found"),
        (lambda file: csv(file, f"1,{NAMED}\xff,c"), "Invalid unicode"),
        (lambda file: json_lines(file, f'{{"a": "{NAMED}", "a": "it\'s"}}'), "Object (hidden)"),
        (lambda file: json_lines(file, f'{{"a": "{NAMED}", b}}'), "Malformed JSON in file"),
        (
            lambda file: parquet(file, f"{NAMED}\xff".encode("latin-1")),
            '/file": value (hidden) is not valid',
        ),
        (lambda _: f"select cast('{NAMED}' as integer)", "string (hidden) to INT32"),
        (lambda _: f"select cast('{NAMED}' as timestamp)", "field format: (hidden), expected format is"),
        (lambda _: f"select strptime('{NAMED}', '%Y')", "Could not parse string (hidden)"),
        (lambda _: f"select json_extract('{{\"a\": {NAMED}', '$.a')", "Malformed JSON at byte"),
    ],
)
def test_no_value_is_repeated(tmp_path: Path, query: Callable[[Path], str], said: str) -> None:
    with pytest.raises(duckdb.Error) as caught:
        duckdb.sql(query(tmp_path / "file")).fetchall()
    message = str(caught.value)
    # as it is, and as dbt hands it on
    told = without_values(message)
    assert told in without_values(f"Runtime Error in model m (m.sql)\n{indent(message, '  ')}").replace(
        "\n  ", "\n"
    )
    assert said in told
    assert "ann" not in told and "example" not in told


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from nowhere", "Table with name nowhere does not exist!"),
        ("select x from (select 1 as y)", 'Referenced column "x" not found'),
    ],
)
def test_names_are_repeated(query: str, said: str) -> None:
    with pytest.raises(duckdb.Error) as caught:
        duckdb.sql(query)
    assert said in without_values(str(caught.value))
