{{
    config(
        materialized="incremental",
        incremental_strategy="rekeyed",
        meta={
            "rekeyed": ["identifier_key"],
            "cleared_by": "int_night__reclustered_identifiers",
            "watched": ["identifier_key", "customer_id"],
        },
    )
}}
-- Who is who: the customer of every identifier. customer_id is the keyed hash of the
-- customer's leading identifier (strongest kind, then first seen), a function of the
-- data alone: it does not depend on the order of arrival, and every id that a customer
-- ever bore is the hash of one of its identifiers, so that retired ids stay resolvable.
-- Grain: one identifier.
with

    clusters as (
        {{ reclustered_tonight(ref("int_identity__clusters"), "identifier_key") }}
    ),

    hash_key as (select hash_key from {{ source("raw", "hash_key") }}),

    ranked as (
        select
            *,
            row_number() over (
                partition by cluster_key
                order by is_beyond_maximum, priority, first_seen_at, identifier_key
            ) as leading_rank
        from clusters
    ),

    hashed as (
        select
            ranked.*,
            {{ identifier_hash("ranked.identifier_key", "hash_key.hash_key") }}
            as identifier_hash
        from ranked
        cross join hash_key
    ),

    leaders as (
        select
            cluster_key, identifier_key as leading_key, identifier_hash as customer_id
        from hashed
        where leading_rank = 1
    ),

    final as (
        select
            hashed.identifier_key,
            hashed.identifier_type,
            hashed.priority,
            hashed.first_seen_at,
            hashed.identifier_hash,
            leaders.customer_id,
            leaders.leading_key,
            hashed.is_beyond_maximum
        from hashed
        inner join leaders on hashed.cluster_key = leaders.cluster_key
    )

select *
from final
