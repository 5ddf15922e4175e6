-- Product and company reviews, latest versions. Grain: review_id.
with

    latest as ({{ latest_versions(ref("base_reviews__reviews"), "reviews") }}),

    final as (
        select
            review_id,
            site,
            customer_ref,
            user_id,
            email,
            handle,
            rating,
            rating_max,
            has_text,
            is_invited,
            sentiment,
            product_id,
            created_at,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
