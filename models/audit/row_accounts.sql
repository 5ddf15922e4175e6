-- What became of the rows between the layers: rows in = rows out + quarantined +
-- superseded + deleted + excluded, each with its reason. Grain: layer, source table,
-- outcome and reason. A test refuses accounts that do not balance.
with

    staged as (select * from {{ ref("stg_quarantine__row_accounts") }}),

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

    -- tables that a conformer speaks for; reference tables end in staging
    feeding as (select distinct source_table from conformed),

    accounts as (
        select
            'staging' as layer,
            source_table,
            'in' as outcome,
            cast(null as {{ dbt.type_string() }}) as reason,
            rows_in as row_count
        from staged
        union all
        select
            'staging' as layer,
            source_table,
            'out' as outcome,
            cast(null as {{ dbt.type_string() }}) as reason,
            rows_out as row_count
        from staged
        union all
        select
            'staging' as layer,
            source_table,
            'superseded' as outcome,
            'later_version' as reason,
            rows_superseded as row_count
        from staged
        union all
        select
            'staging' as layer,
            source_table,
            'deleted' as outcome,
            'deleted_at_source' as reason,
            rows_deleted as row_count
        from staged
        union all
        select
            'staging' as layer,
            source_table,
            'quarantined' as outcome,
            reason,
            row_count
        from quarantined
        union all
        select
            'intermediate' as layer,
            staged.source_table,
            'in' as outcome,
            cast(null as {{ dbt.type_string() }}) as reason,
            staged.rows_out as row_count
        from staged
        inner join feeding on staged.source_table = feeding.source_table
        union all
        select
            'intermediate' as layer,
            source_table,
            case when reason is null then 'out' else 'excluded' end as outcome,
            reason,
            row_count
        from conformed
        union all
        select 'marts' as layer, source_table, 'in' as outcome, reason, row_count
        from conformed
        where reason is null
        union all
        select
            'marts' as layer,
            source_table,
            'out' as outcome,
            cast(null as {{ dbt.type_string() }}) as reason,
            row_count
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
