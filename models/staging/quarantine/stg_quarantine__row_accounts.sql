{{ config(materialized="table") }}
-- What became of the rows that this night read of every raw table: rows in are rows
-- out plus those in
-- quarantine, superseded by a later version, or deleted. Grain: one raw table.
with final as ({{ row_accounts() }})
select *
from final
