{{
    config(
        materialized="incremental",
        incremental_strategy="rekeyed",
        meta={
            "rekeyed": ["identifier_key"],
            "cleared_by": "int_night__reclustered_identifiers",
        },
    )
}}
-- The cluster of every identifier. Strong ids merge only where they were seen together;
-- a weak id belongs to the strong id it was first seen beside; a group of weak ids
-- without any belongs to the customer of the owned weak id that it was first seen
-- beside, else it stands alone. Values beyond a kind's maximum stand alone. Grain: one
-- identifier.
with

    identifiers as (
        {{ reclustered_tonight(ref("int_identity__identifiers"), "identifier_key") }}
    ),

    edges as ({{ reclustered_tonight(ref("int_identity__edges"), "left_key") }}),

    owned as (select * from {{ ref("int_identity__first_strong") }}),

    groups as (select * from {{ ref("int_identity__groups") }}),

    anchored as (
        select
            identifiers.*,
            owned.strong_key is not null as is_owned,
            coalesce(
                strong_groups.component_key,
                owned.strong_key,
                own_groups.component_key,
                identifiers.identifier_key
            ) as group_key
        from identifiers
        left join owned on identifiers.identifier_key = owned.identifier_key
        left join groups as strong_groups on owned.strong_key = strong_groups.node_key
        left join
            groups as own_groups on identifiers.identifier_key = own_groups.node_key
    ),

    weak_neighbours as (
        select left_key as identifier_key, right_key as neighbour_key, first_seen_at
        from edges
        where not left_is_strong and not right_is_strong
        union all
        select right_key as identifier_key, left_key as neighbour_key, first_seen_at
        from edges
        where not left_is_strong and not right_is_strong
    ),

    adoptions as (
        select
            loose.group_key,
            owners.group_key as cluster_key,
            row_number() over (
                partition by loose.group_key
                order by
                    weak_neighbours.first_seen_at,
                    weak_neighbours.neighbour_key,
                    weak_neighbours.identifier_key
            ) as adoption_rank
        from anchored as loose
        inner join
            weak_neighbours on loose.identifier_key = weak_neighbours.identifier_key
        inner join
            anchored as owners on weak_neighbours.neighbour_key = owners.identifier_key
        where not loose.is_strong and not loose.is_owned and owners.is_owned
    ),

    first_adoptions as (
        select group_key, cluster_key from adoptions where adoption_rank = 1
    ),

    clustered as (
        select
            anchored.*,
            case
                when anchored.is_strong or anchored.is_owned
                then anchored.group_key
                else coalesce(first_adoptions.cluster_key, anchored.group_key)
            end as cluster_key
        from anchored
        left join first_adoptions on anchored.group_key = first_adoptions.group_key
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by cluster_key, identifier_type
                order by first_seen_at, identifier_key
            ) as value_rank
        from clustered
    ),

    final as (
        select
            identifier_key,
            identifier_type,
            priority,
            is_strong,
            first_seen_at,
            case
                when value_rank > max_per_customer
                then 'alone:' || identifier_key
                else cluster_key
            end as cluster_key,
            value_rank > max_per_customer as is_beyond_maximum
        from ranked
    )

select *
from final
