-- Calendar of promotions, latest versions. Grain: promotion_id.
with

    latest as ({{ latest_versions(ref("base_promotions__promotions"), "promotions") }}),

    final as (
        select
            promotion_id,
            name,
            sales_channel,
            starts_at,
            ends_at,
            discount_rate,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
