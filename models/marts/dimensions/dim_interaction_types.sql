-- Kinds of interactions, with what each counts for. Grain: one interaction type.
with

    types as (select * from {{ ref("interaction_types") }} where route = 'interaction'),

    final as (
        select
            interaction_type,
            source_table,
            event_name,
            actor,
            is_intent,
            is_page_view,
            engagement_level,
            cast(weight as double) as weight,
            four_i,
            jakobson_function,
            engagement_stage,
            journey_stage,
            taxonomy_version
        from types
    )

select *
from final
