-- Rows in must equal rows out plus what was set aside with a reason, in every layer
-- and for every source table.
select
    layer,
    source_table,
    sum(case when outcome = 'in' then row_count else 0 end) as rows_in,
    sum(case when outcome <> 'in' then row_count else 0 end) as rows_accounted
from {{ ref("row_accounts") }}
group by layer, source_table
having
    sum(case when outcome = 'in' then row_count else 0 end)
    <> sum(case when outcome <> 'in' then row_count else 0 end)
