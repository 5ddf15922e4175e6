{{
    config(
        materialized="incremental",
        incremental_strategy="held_back",
    )
}}
-- Rows of all raw tables that broke a rule. They feed nothing until they are mended at
-- the source or the rule is; their content stays in the base_ views.
-- Grain: one raw row.
with final as ({{ quarantined_rows() }})
select *
from final
