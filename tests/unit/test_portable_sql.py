"""Models hold no adapter's dialect: what only DuckDB understands belongs in a dispatched macro.

The checker reads a model as an engine would see it. One pass over the text tells Jinja, comments, strings
and code apart, so that an apostrophe in a comment opens no string and a `--` in a string no comment. What a
template writes between quotes inside `{{ }}` and `{% %}` is SQL too, as an argument of a macro or in a hook.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MODELS = sorted((PROJECT / "models").rglob("*.sql"))


@dataclass(frozen=True)
class Construct:
    """SQL that one engine understands and another does not, or understands differently.

    Attributes:
        name: What it is called in the message.
        pattern: Regular expression over code without comments, its strings emptied.
        instead: What a model writes in its place.
        planted: Statements that must be caught.
    """

    name: str
    pattern: str
    instead: str
    planted: tuple[str, ...]


def _functions(name: str, functions: str, instead: str) -> Construct:
    """Functions by name: each is planted once, as a call."""
    words = functions.split()
    return Construct(
        name, rf"\b(?:{'|'.join(words)})\s*\(", instead, tuple(f"select {word}(a) from t" for word in words)
    )


CONSTRUCTS = (
    # Syntax
    Construct("double-colon cast", r"::", "cast(... as ...)", ("select a::date from t", "select 1 :: int")),
    Construct("QUALIFY", r"\bqualify\b", "a numbered CTE and where", ("select a from t qualify a = 1",)),
    Construct("ASOF join", r"\basof\b", "macro carried", ("select * from a asof left join b on true",)),
    Construct(
        "IGNORE or RESPECT NULLS",
        r"\b(?:ignore|respect)\s+nulls\b",
        "a running max or a macro",
        ("select last_value(a ignore nulls) over () from t", "select first_value(a respect\nnulls) over ()"),
    ),
    Construct("list or subscript", r"\[", "rows, or a macro", ("select [1, 2]", "select a[1] from t")),
    Construct(
        "struct or map literal", r"\{", "columns, or a macro", ("select {'a': 1}", "select map {'a': 1}")
    ),
    Construct("arrow", r"->", "a macro", ("select a ->> 'b' from t", "select list_filter(a, x -> x > 1)")),
    Construct(
        "integer division or power",
        r"//|\*\*|\^",
        "cast and power()",
        ("select a // 2", "select a ** 2", "select a ^ 2"),
    ),
    Construct("regex operator", r"!?~", "rlike through a macro", ("select a ~ 'b'", "select a !~ 'b'")),
    Construct(
        "SIMILAR TO or GLOB",
        r"\bsimilar\s+to\b|\bglob\b",
        "like, or a macro",
        ("select a similar to 'b'", "select a glob 'b'"),
    ),
    Construct(
        "star modifier",
        r"\*\s*(?:exclude|except|replace|rename)\b",
        "an explicit column list",
        (
            "select * exclude (a) from t",
            "select t.* replace (1 as a) from t",
            "select * rename (a as b) from t",
        ),
    ),
    Construct("COLUMNS()", r"\bcolumns\s*\(", "an explicit column list", ("select columns(*) from t",)),
    Construct("leading FROM", r"(?:^|\()\s*from\b", "select first", ("from t", "select a in (from t)")),
    Construct(
        "trailing comma",
        r",\s*(?:\)|\bfrom\b|\bwhere\b|\bgroup\s+by\b|\border\s+by\b|;|$)",
        "no comma after the last one",
        ("select a, b, from t", "select f(a,) from t", "select a from t group by a,"),
    ),
    Construct(
        "trailing comma after a CTE",
        r"\)\s*,\s*select\b",
        "no comma after the last one",
        ("with a as (select 1), select a",),
    ),
    Construct(
        "BY NAME",
        r"\bby\s+name\b",
        "columns in one order",
        ("select 1 as a union all by name select 2 as a",),
    ),
    Construct(
        "recursive CTE",
        r"\bwith\s+recursive\b",
        "macro connected_components",
        ("with recursive a as (select 1) select 1",),
    ),
    Construct("DISTINCT ON", r"\bdistinct\s+on\b", "a numbered CTE", ("select distinct on (a) a from t",)),
    Construct("ORDER BY ALL", r"\border\s+by\s+all\b", "the columns", ("select a from t order by all",)),
    Construct("POSITIONAL join", r"\bpositional\s+join\b", "a key", ("select * from a positional join b",)),
    Construct("PIVOT", r"\b(?:un)?pivot\b", "sum(case ...) per column", ("pivot t on a", "unpivot t on a")),
    Construct(
        "sample",
        r"\busing\s+sample\b|\btablesample\b",
        "a hash of the key",
        ("select * from t using sample 5", "select * from t tablesample 5"),
    ),
    Construct(
        "frame exclusion",
        r"\bexclude\s+(?:current|ties|group|no)\b",
        "another frame",
        ("select sum(a) over (order by b rows 1 preceding exclude ties)",),
    ),
    Construct(
        "GROUPS frame",
        r"\bgroups\s+(?:between|unbounded|current|\d)",
        "rows or range",
        ("select sum(a) over (order by b groups 1 preceding)",),
    ),
    Construct(
        "ordered aggregate",
        r"\barray_agg\s*\([^()]*\border\s+by\b",
        "max_by, or a macro",
        ("select array_agg(a order by b) from t",),
    ),
    Construct("count()", r"\bcount\s*\(\s*\)", "count(*)", ("select count() from t",)),
    Construct(
        "computed interval",
        r"\binterval\s*\("
        r"|\binterval\s+(?!jinja)[a-z_]\w*\s+(?:micro|milli)?(?:second|minute|hour|day|week|month|year)s?\b",
        "a macro of time.sql",
        ("select a + interval (b) day", "select a + interval b days"),
    ),
    Construct(
        "postfix null test",
        r"\b(?:isnull|notnull)\b(?!\s*\()",
        "is null, is not null",
        ("select a isnull", "select a notnull from t"),
    ),
    Construct(
        "materialization hint",
        r"\bas\s+(?:not\s+)?materialized\b",
        "a plain CTE",
        ("with a as materialized (select 1) select 1",),
    ),
    Construct(
        "backslash in a string",
        r"\\",
        "a character class such as [0-9]",
        (r"select regexp_extract(a, '\d+') from t",),
    ),
    Construct(
        "doubled quote in a string", r"\'{4}", "a text without quotes, or a macro", ("select 'it''s' from t",)
    ),
    Construct("quoted identifier", r'"', "a plain lower-case name", ('select "a" from t',)),
    Construct(
        "dollar quoting or parameter", r"\$", "a literal, or a variable", ("select $$a$$", "select $1")
    ),
    Construct(
        "AT TIME ZONE", r"\bat\s+time\s+zone\b", "macro business_day", ("select a at time zone 'UTC' from t",)
    ),
    Construct(
        "extract of an epoch or a weekday",
        r"\bextract\s*\(\s*(?:epoch|dow|isodow|dayofweek)",
        "a macro",
        ("select extract(epoch from a)", "select extract(isodow from a)"),
    ),
    Construct(
        "statement",
        r"(?:^|;)\s*(?:attach|detach|pragma|install|copy|"
        r"set\s+variable|create\s+(?:or\s+replace\s+)?macro)\b",
        "configuration, or a macro",
        ("attach 'a.db'", "pragma threads", "create macro a() as 1", "copy t to 'f'"),
    ),
    # Types
    Construct(
        "type of one engine",
        r"\bas\s+(?:varchar|text|string|char|bpchar|hugeint|uhugeint|u?tinyint|usmallint|uinteger|ubigint"
        r"|int[1248]|float[48]|timestamptz|timestamp\s+with\s+time\s+zone|timestamp_\w+|datetime|time|blob|bytea"
        r"|uuid|json|bit|struct|map|list)\s*[()]",
        "dbt.type_string() and its like",
        (
            "select cast(a as varchar)",
            "select try_cast(a as varchar(10))",
            "select cast(a as text)",
            "select cast(a as timestamptz)",
            "select cast(a as timestamp with time zone)",
            "select cast(a as hugeint)",
            "select cast(a as json)",
        ),
    ),
    # Functions
    Construct(
        "file source",
        r"\b(?:read_\w+|parquet_\w+|sniff_csv|\w+_scan)\s*\(",
        "source()",
        (
            "select * from read_parquet('f')",
            "select * from read_csv('f')",
            "select * from read_json_auto('f')",
            "select * from parquet_scan('f')",
        ),
    ),
    Construct("file as a table", r"\b(?:from|join)\s+''", "source()", ("select * from 'file.parquet'",)),
    Construct(
        "list function",
        r"\b(?:list|array|struct|map|json)_(?!agg\b|contains\b|distinct\b)\w+\s*\("
        r"|\b(?:list|struct|row|unnest|generate_series|generate_subscripts|range|flatten)\s*\(",
        "rows, or a macro",
        (
            "select list_transform(a, b)",
            "select unnest(a)",
            "select list(a) from t",
            "select * from range(3)",
            "select struct_pack(a)",
            "select json_extract(a, 'b')",
            "select row (a, b)",
            "select array_to_string(a, ',')",
        ),
    ),
    _functions(
        "date arithmetic",
        "date_diff datediff datesub date_sub date_add dateadd age julian "
        "to_days to_hours to_minutes to_seconds to_months to_years to_microseconds to_milliseconds "
        "add_months date_part datepart",
        "dbt.datediff, dbt.dateadd, or a macro of time.sql",
    ),
    _functions(
        "clock or time zone",
        "timezone now today get_current_timestamp current_localtimestamp localtimestamp "
        "to_timestamp make_timestamp make_date epoch epoch_ms epoch_us "
        "epoch_ns from_utc_timestamp to_utc_timestamp unix_timestamp",
        "as_of(), or a macro of time.sql",
    ),
    _functions(
        "text of a date",
        "strftime strptime try_strptime date_format to_char dayname monthname",
        "a column of dim_dates, or a macro",
    ),
    _functions("day of week", "dayofweek isodow weekday", "week_start(), or a macro"),
    _functions(
        "quantile",
        "quantile quantile_cont quantile_disc approx_quantile reservoir_quantile",
        "percentile_cont(...) within group (order by ...)",
    ),
    _functions(
        "extremum by another column",
        "arg_max arg_min argmax argmin first last arbitrary",
        "max_by, min_by, any_value",
    ),
    _functions("concatenating aggregate", "string_agg group_concat listagg", "dbt.listagg"),
    _functions("hash", "sha256 sha1 sha2 hash md5_number", "identifier_hash(), or a macro"),
    _functions(
        "pattern matching",
        "regexp_matches regexp_full_match "
        "regexp_replace regexp_extract_all regexp_split_to_array regexp_like",
        "regexp_extract, or a macro",
    ),
    _functions(
        "text",
        "string_split str_split string_to_array starts_with ends_with prefix suffix strlen printf bar",
        "like, split_part, or a macro",
    ),
    _functions(
        "aggregate of one engine",
        "fsum favg kahan_sum sumkahan product geomean geometric_mean histogram mad bitstring_agg",
        "a standard aggregate, or a macro",
    ),
)

_TOKENS = re.compile(
    r"""
      (?P<jinja_comment> \{\#.*?\#\} )
    | (?P<jinja> \{\{.*?\}\} | \{%.*?%\} )
    | (?P<line_comment> --[^\n]* )
    | (?P<block_comment> /\*.*?\*/ )
    | (?P<string> '(?:[^']|'')*' )
    """,
    re.VERBOSE | re.DOTALL,
)
_JINJA_STRINGS = re.compile(r"'([^']*)'|\"([^\"]*)\"", re.DOTALL)


def _emptied(string: str) -> str:
    """A string literal without its text, but for what engines read differently inside one."""
    marks = ("\\" if "\\" in string else "") + ("''" if "''" in string[1:-1] else "")
    return f"'{marks}'" + "\n" * string.count("\n")


def _code(sql: str) -> str:
    """SQL without templates: comments blanked, strings emptied."""
    return _TOKENS.sub(lambda match: _emptied(match.group()) if match.lastgroup == "string" else " ", sql)


def fragments(template: str) -> Iterator[tuple[int, str]]:
    """Split a model into pieces of SQL to check, each with the line on which it starts.

    The first piece is the body: comments blanked, strings emptied, each Jinja expression replaced by a plain
    name, statements and configuration by nothing, line breaks kept. The others are the texts inside Jinja.
    """
    arguments: list[tuple[int, str]] = []

    def collect(jinja: str, start: int) -> None:
        for found in _JINJA_STRINGS.finditer(jinja):
            text = (found.group(1) or found.group(2) or "").replace("\\n", " ")  # Jinja's own line break
            if re.search(r"\w", text):
                arguments.append((template.count("\n", 0, start + found.start()) + 1, _code(text)))

    def blank(match: re.Match[str]) -> str:
        text, kind = match.group(), match.lastgroup
        if kind == "string":
            for nested in _TOKENS.finditer(text, 1, len(text) - 1):
                if nested.lastgroup == "jinja":
                    collect(nested.group(), match.start() + nested.start())
            return _emptied(re.sub(r"\{\{.*?\}\}", "", text, flags=re.DOTALL))
        if kind == "jinja":
            collect(text, match.start())
        is_value = kind == "jinja" and text.startswith("{{") and not re.match(r"\{\{-?\s*config\b", text)
        return ("jinja" if is_value else " ") + "\n" * text.count("\n")

    yield 1, _TOKENS.sub(blank, template)
    yield from arguments


def violations(template: str) -> list[str]:
    """Describe every construct of one engine in a model: line, name and what to write instead."""
    found = []
    for first_line, code in fragments(template):
        for construct in CONSTRUCTS:
            for match in re.finditer(construct.pattern, code, re.IGNORECASE):
                line = first_line + code.count("\n", 0, match.start())
                found.append(
                    f"line {line}: {construct.name} ({match.group().strip()}); use {construct.instead}"
                )
    return found


PLANTED = [(construct.name, sql) for construct in CONSTRUCTS for sql in construct.planted]


@pytest.mark.parametrize(("name", "sql"), PLANTED)
def test_a_planted_construct_is_caught(name: str, sql: str) -> None:
    assert any(f": {name} (" in violation for violation in violations(sql))


@pytest.mark.parametrize(("name", "sql"), PLANTED)
def test_a_construct_planted_deep_in_a_model_is_caught(name: str, sql: str) -> None:
    deep = f"-- grain: it's one row\nwith\n\nplanted as ({sql})\n\nselect * from planted\n"
    caught = any(f": {name} (" in violation for violation in violations(deep))
    assert caught or name == "statement"  # A statement is recognised where it begins.


@pytest.mark.parametrize("case", [str.upper, str.title])
def test_letter_case_does_not_hide_a_construct(case: Callable[[str], str]) -> None:
    assert violations(case("select a from t qualify row_number() over (order by a) = 1"))


@pytest.mark.parametrize(
    "sql",
    [
        "-- a::date, it's [not] code\nselect a from t",
        "/* qualify\n read_parquet('f') */ select a from t",
        "{# strftime(a) -- isn't code #}select a from t",
        "select '::' as mark, 'a -- b' as dashes, 'read_csv(x)' as words from t",
        'select a from {{ ref("stg_orders__orders") }}',
        '{{ config(materialized="incremental", unique_key=["a", "b"]) }}\nselect a from t',
        'select {{ dbt.datediff("a", "b", "day") }} as days from t',
        '{% for kind in ["a", "b"] %}select {{ kind }} from t{{ " union " if not loop.last }}{% endfor %}',
        "select a from t group by all order by a nulls last",
        "select sum(a) filter (where b) over (order by c rows between 1 preceding and current row) from t",
        "select max_by(a, b), percentile_cont(0.9) within group (order by a), array_agg(a) from t",
        "select row_number() over (partition by a order by b), first_value(a) over (order by b) from t",
        "select last_day(d), cast(a as double), try_cast(a as integer), cast(a as decimal(18, 4)) from t",
        "select d + interval 1 day, d + interval '7' day, d + interval {{ n }} day, date '2017-01-01' from t",
        "with groups as (select 1 as a), list as (select a from groups) select a from list",
        "select a is distinct from b, count(*), split_part(a, '|', 1), contains(a, 'b'), a || b from t",
        "select a from t left join u using (a) where a in (select a from v)",
    ],
)
def test_portable_sql_passes(sql: str) -> None:
    assert violations(sql) == []


def test_arguments_of_macros_are_read_as_sql() -> None:
    template = 'select\n  a,\n  {{ seconds_between("a::timestamp", "b") }}\nfrom t'
    assert violations(template) == ["line 3: double-colon cast (::); use cast(... as ...)"]
    hook = "{{ config(pre_hook=\"attach 'file.db'\") }} select 1"
    assert [violation.split(" (")[0] for violation in violations(hook)] == ["line 1: statement"]
    assert violations("select '{{ m(\"a::b\") }}' as text_with_a_template")


def test_a_violation_names_its_line() -> None:
    template = "{#- two\nlines -#}\n-- one\nselect 'a\nb', /* c\n */ d::date\nfrom t"
    assert violations(template) == ["line 6: double-colon cast (::); use cast(... as ...)"]


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_a_model_holds_no_construct_of_one_engine(model: Path) -> None:
    where = model.relative_to(PROJECT)
    assert [f"{where} {violation}" for violation in violations(model.read_text(encoding="utf-8"))] == []


def test_models_were_found() -> None:
    assert MODELS
