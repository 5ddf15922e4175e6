-- Rows that broke a rule and are held back until they, or the rule's ground, are
-- mended. A row whose key has been mended by another row stays, and says so: the raw
-- zone is a log. What a row holds besides its key stays in the build file: it may name
-- a person. Grain: one raw row.
with

    quarantined as (select * from {{ ref("stg_quarantine__rows") }}),

    sound_rows as ({{ sound_rows_of_quarantined_keys("quarantined") }}),

    -- of a key, a version is stored or a deletion, never both
    final as (
        select
            quarantined.run_id,
            quarantined.source_table,
            -- the key of a customer record is an identifier
            case
                when quarantined.source_table <> 'customers' then quarantined.source_key
            end as source_key,
            quarantined.quarantine_rule,
            coalesce(sound_rows.loaded_at >= quarantined.loaded_at, false) as is_mended,
            quarantined.source_file,
            quarantined.loaded_at
        from quarantined
        left join
            sound_rows
            on quarantined.source_table = sound_rows.source_table
            and quarantined.source_key = sound_rows.source_key
    )

select *
from final
