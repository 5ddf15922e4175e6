-- Rows that broke a rule and are held back until they, or the rule's ground, are
-- mended. Grain: one raw row. What a row holds besides its key stays in the build file:
-- it may name a person.
with

    quarantined as (select * from {{ ref("stg_quarantine__rows") }}),

    final as (
        select
            '{{ var("run_id") }}' as run_id,
            source_table,
            -- the key of a customer record is an identifier
            case when source_table <> 'customers' then source_key end as source_key,
            quarantine_rule,
            source_file,
            loaded_at
        from quarantined
    )

select *
from final
