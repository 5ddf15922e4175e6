-- How far a customer's engagement goes lately: the tier by the kind of behaviour, and
-- the stage by whom it is with. Tiers rest on acts and not on ranks, so that one more
-- act never lowers anybody. Grain: customer of the current snapshot.
{%- set tiers = ["low", "medium", "high", "highest"] %}
{%- set stages = ["company", "content", "community"] %}
with

    customers as (
        select customer_id
        from {{ ref("int_snapshots__customers") }}
        where is_current and is_in_life
    ),

    acts as (
        select
            customer_id,
            interaction_type,
            {{ days_between("occurred_on", as_of()) }} as age_days
        from {{ ref("int_interactions__identified") }}
        where
            actor = 'customer'
            and occurred_on
            > {{ as_of() }}
            - greatest(
                {{ longest_window_days("engagement_tiers") }},
                {{ longest_window_days("engagement_stages") }}
            )
    ),

    types as (
        select
            interaction_type,
            min(engagement_level) as engagement_level,
            min(engagement_stage) as engagement_stage
        from {{ ref("interaction_types") }}
        where route = 'interaction'
        group by interaction_type
    ),

    tiers as (select * from {{ ref("engagement_tiers") }}),

    stages as (select * from {{ ref("engagement_stages") }}),

    counted as (
        select
            acts.customer_id,
            acts.interaction_type,
            types.engagement_level as tier,
            types.engagement_stage,
            sum(
                case when acts.age_days < tiers.window_days then 1 else 0 end
            ) as tier_acts,
            sum(
                case when acts.age_days < stages.window_days then 1 else 0 end
            ) as stage_acts
        from acts
        inner join types on acts.interaction_type = types.interaction_type
        left join tiers on types.engagement_level = tiers.tier
        left join stages on types.engagement_stage = stages.engagement_stage
        group by
            acts.customer_id,
            acts.interaction_type,
            types.engagement_level,
            types.engagement_stage
    ),

    added as (
        select
            customer_id,
            {%- for tier in tiers %}
                sum(
                    case when tier = '{{ tier }}' then tier_acts else 0 end
                ) as {{ tier }}_acts,
            {%- endfor %}
            {%- for stage in stages %}
                sum(
                    case
                        when engagement_stage = '{{ stage }}' then stage_acts else 0
                    end
                ) as {{ stage }}_acts {{ "," if not loop.last }}
            {%- endfor %}
        from counted
        group by customer_id
    ),

    tiers_reached as (
        select added.customer_id, max(tiers.tier_number) as tier_number
        from added
        inner join
            tiers
            on case
                tiers.tier
                {%- for tier in tiers %}
                    when '{{ tier }}' then added.{{ tier }}_acts
                {%- endfor %}
            end
            >= tiers.acts_min
        group by added.customer_id
    ),

    stages_reached as (
        select added.customer_id, max(stages.stage_number) as stage_number
        from added
        inner join
            stages
            on case
                stages.engagement_stage
                {%- for stage in stages %}
                    when '{{ stage }}' then added.{{ stage }}_acts
                {%- endfor %}
            end
            >= stages.acts_min
        group by added.customer_id
    ),

    -- what earned the tier, in words
    earning as (
        select
            counted.customer_id,
            tiers.tier,
            tiers.tier_number,
            tiers.window_days,
            counted.tier_acts,
            counted.interaction_type,
            counted.interaction_type
            || ' '
            || cast(counted.tier_acts as {{ dbt.type_string() }}) as said
        from counted
        inner join tiers_reached on counted.customer_id = tiers_reached.customer_id
        inner join
            tiers
            on counted.tier = tiers.tier
            and tiers_reached.tier_number = tiers.tier_number
        where counted.tier_acts > 0
    ),

    earned as (
        select
            customer_id,
            min(tier) as tier,
            min(tier_number) as tier_number,
            min(window_days) as tier_window_days,
            sum(tier_acts) as tier_acts,
            {{
                dbt.listagg(
                    "said", "', '", "order by tier_acts desc, interaction_type"
                )
            }} as tier_act_types
        from earning
        group by customer_id
    ),

    versions as (
        select
            (select max(tiers_version) from tiers) as tiers_version,
            (select max(stages_version) from stages) as stages_version
    ),

    final as (
        select
            customers.customer_id,
            coalesce(earned.tier, 'none') as tier,
            cast(coalesce(earned.tier_number, 0) as bigint) as tier_number,
            cast(coalesce(earned.tier_acts, 0) as bigint) as tier_acts,
            earned.tier_act_types,
            cast(earned.tier_window_days as bigint) as tier_window_days,
            {%- for tier in tiers %}
                cast(coalesce(added.{{ tier }}_acts, 0) as bigint) as {{ tier }}_acts,
            {%- endfor %}
            coalesce(stages.engagement_stage, 'none') as engagement_stage,
            {%- for stage in stages %}
                cast(coalesce(added.{{ stage }}_acts, 0) as bigint) as {{ stage }}_acts,
            {%- endfor %}
            versions.tiers_version,
            versions.stages_version
        from customers
        cross join versions
        left join added on customers.customer_id = added.customer_id
        left join earned on customers.customer_id = earned.customer_id
        left join stages_reached on customers.customer_id = stages_reached.customer_id
        left join stages on stages_reached.stage_number = stages.stage_number
    )

select *
from final
