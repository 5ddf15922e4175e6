-- Orders of all sales channels, latest versions. Grain: order_id.
with

    latest as ({{ latest_versions(ref("base_orders__orders"), "orders") }}),

    final as (
        select
            order_id,
            customer_ref,
            user_id,
            email,
            phone,
            loyalty_id,
            sales_channel,
            store_id,
            ordered_at,
            status,
            cancelled_at,
            total_amount,
            discount_amount,
            currency,
            coupon_code,
            promotion_id,
            is_auto_renewal,
            is_test,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
