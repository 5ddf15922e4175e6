{{
    config(
        materialized="incremental",
        incremental_strategy="held_back",
    )
}}
-- Rows of all raw tables that broke a rule, with what stood in them: personal data,
-- which no later layer reads. They feed nothing until they are mended at the source or
-- the rule is. Grain: one raw row.
with final as ({{ quarantined_rows() }})
select *
from final
