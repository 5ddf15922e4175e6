-- Recommendations of customers to others, latest versions. Grain: referral_id.
with

    latest as ({{ latest_versions(ref("base_referrals__referrals"), "referrals") }}),

    final as (
        select
            referral_id,
            referrer_ref,
            referred_ref,
            referred_email,
            sent_at,
            converted_at,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
