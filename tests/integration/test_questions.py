"""The page of ready questions says what its SQL says, on the sample that it names.

`REWRITE_QUESTIONS=1` (that is `make questions`) writes the results into the page instead. What does NOT
belong here: whether the marts are right.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from nights import open_published
from questions_page import PAGE, Question, answered, questions, rewritten

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUESTIONS = list(questions(PAGE.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def published(year_warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_published(year_warehouse) as connection:
        if os.environ.get("REWRITE_QUESTIONS"):
            page = PAGE.read_text(encoding="utf-8")
            PAGE.write_text(rewritten(page, lambda sql: answered(connection, sql)), encoding="utf-8")
        yield connection


def test_the_page_is_read_whole():
    page = PAGE.read_text(encoding="utf-8")
    assert len(QUESTIONS) == page.count("\n## ") == page.count("```sql") >= 15
    assert [question.title.split(".")[0] for question in QUESTIONS] == [
        str(number + 1) for number in range(len(QUESTIONS))
    ]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.title.split(".")[0])
def test_the_page_shows_what_the_query_gives(question: Question, published: duckdb.DuckDBPyConnection):
    result = answered(published, question.sql)
    rows = len(result.splitlines()) - 2
    assert 0 < rows <= 10
    if not os.environ.get("REWRITE_QUESTIONS"):
        assert result == question.result


def test_a_result_that_is_wrong_would_be_seen():
    sql = "select 1.5 as one, true as sure, null as none"
    page = f"# Page\n\n## 1. One?\n\nWords.\n\n```sql\n{sql}\n```\n\n| old |\n| --- |\n"
    with duckdb.connect() as connection:
        fresh = rewritten(page, lambda sql: answered(connection, sql))
    (question,) = questions(fresh)
    assert question.result == "| one | sure | none |\n| ---: | --- | --- |\n| 1.5 | yes |  |"
    assert question.result != next(questions(page)).result
    assert rewritten(fresh, lambda _: question.result) == fresh
