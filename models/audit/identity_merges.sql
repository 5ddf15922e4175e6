-- Every customer_id that a customer could have borne before its identifiers were known
-- to belong together, with the one that survives. Grain: one retired customer_id.
with

    assignments as (select * from {{ ref("int_identity__assignments") }}),

    final as (
        select
            identifier_hash as retired_customer_id,
            customer_id,
            identifier_type,
            first_seen_at
        from assignments
        where identifier_hash <> customer_id
    )

select *
from final
