-- Identifiers (as narrow hashes) of the customers whose rows change tonight: what finds
-- their rows in staging. Grain: one hash.
with

    changed as (select customer_id from {{ ref("int_night__changed_customers") }}),

    assignments as (
        select identifier_key, customer_id from {{ ref("int_identity__assignments") }}
    ),

    final as (
        select distinct {{ key_hash("assignments.identifier_key") }} as identity_hash
        from assignments
        semi join changed on assignments.customer_id = changed.customer_id
    )

select *
from final
