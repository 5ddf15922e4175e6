-- What became of the rows between the layers: rows in = rows out + quarantined +
-- superseded + deleted + excluded, each
-- with its reason. Grain: layer, source table, outcome and reason. A test refuses
-- accounts that do not balance.
with

    staged as (select * from {{ ref("stg_row_accounts") }}),

    quarantined as (
        select source_table, quarantine_rule as reason, count(*) as row_count
        from {{ ref("stg_quarantine__rows") }}
        group by source_table, quarantine_rule
    ),

    conformed as (
        select source_table, exclusion_reason as reason, count(*) as row_count
        from {{ ref("int_interactions__unioned") }}
        group by source_table, exclusion_reason
        union all
        select source_table, exclusion_reason as reason, count(*) as row_count
        from {{ ref("int_touches__unioned") }}
        group by source_table, exclusion_reason
    ),

    published as (
        select source_table, count(*) as row_count
        from {{ ref("fct_interactions") }}
        group by source_table
        union all
        select source_table, count(*) as row_count
        from {{ ref("fct_touches") }}
        group by source_table
    ),

    accounts as (
        select
            'staging' as layer,
            source_table,
            'in' as outcome,
            cast(null as {{ dbt.type_string() }}) as reason,
            rows_in as row_count
        from staged
        union all
        select 'staging', source_table, 'out', null, rows_out
        from staged
        union all
        select 'staging', source_table, 'superseded', 'later_version', rows_superseded
        from staged
        union all
        select 'staging', source_table, 'deleted', 'deleted_at_source', rows_deleted
        from staged
        union all
        select 'staging', source_table, 'quarantined', reason, row_count
        from quarantined
        union all
        select 'intermediate', staged.source_table, 'in', null, staged.rows_out
        from staged
        inner join
            (select distinct source_table from conformed) as feeding
            on staged.source_table = feeding.source_table
        union all
        select 'intermediate', source_table, 'out', null, row_count
        from conformed
        where reason is null
        union all
        select 'intermediate', source_table, 'excluded', reason, row_count
        from conformed
        where reason is not null
        union all
        select 'marts', source_table, 'in', null, row_count
        from conformed
        where reason is null
        union all
        select 'marts', source_table, 'out', null, row_count
        from published
    ),

    final as (
        select
            '{{ var("run_id") }}' as run_id,
            layer,
            source_table,
            outcome,
            reason,
            cast(sum(row_count) as bigint) as row_count
        from accounts
        group by layer, source_table, outcome, reason
        having sum(row_count) > 0 or outcome in ('in', 'out')
    )

select *
from final
