-- Evidence on identity that was not followed, so that strangers do not merge. Grain:
-- one pair of identifiers (hashed).
with

    conflicts as (select * from {{ ref("int_identity__conflicts") }}),

    assignments as (
        select identifier_key, identifier_type, identifier_hash
        from {{ ref("int_identity__assignments") }}
    ),

    final as (
        select
            lefts.identifier_hash as left_identifier_hash,
            lefts.identifier_type as left_identifier_type,
            rights.identifier_hash as right_identifier_hash,
            rights.identifier_type as right_identifier_type,
            conflicts.left_customer_id,
            conflicts.right_customer_id,
            conflicts.conflict_reason,
            conflicts.first_seen_at
        from conflicts
        inner join assignments as lefts on conflicts.left_key = lefts.identifier_key
        inner join assignments as rights on conflicts.right_key = rights.identifier_key
    )

select *
from final
