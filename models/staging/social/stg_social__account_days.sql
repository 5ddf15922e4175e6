-- Followers of the brand's accounts, day by day, latest versions. Grain: network,
-- account_id and observed_on.
with

    latest as (
        {{ latest_versions(ref("base_social__account_days"), "social_account_days") }}
    ),

    final as (
        select
            network,
            account_id,
            observed_on,
            followers,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
