-- Tonight, rows in must equal rows out plus what was set aside with a reason, in every
-- layer and for every source table.
{%- set outcomes = ["out", "quarantined", "superseded", "deleted", "excluded"] %}
with

    accounts as (
        select
            concat(source_table, ' (', layer, ')') as account_name,
            sum(case when outcome = 'in' then row_count else 0 end) as rows_in,
            {%- for outcome in outcomes %}
                sum(
                    case when outcome = '{{ outcome }}' then row_count else 0 end
                ) as rows_{{ outcome }}{{ "," if not loop.last }}
            {%- endfor %}
        from {{ ref("row_accounts") }}
        where run_id = '{{ var("run_id") }}'
        group by source_table, layer
    )

select
    account_name,
    {%- set parts = [] %}
    {%- for outcome in outcomes %}
        {%- do parts.append(("rows_" ~ outcome, outcome)) %}
    {%- endfor %}
    {{ balance_sentence("account_name", "rows_in", parts) }} as sentence
from accounts
where
    rows_in
    <> rows_out + rows_quarantined + rows_superseded + rows_deleted + rows_excluded
