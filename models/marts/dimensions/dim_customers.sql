-- Resolved customers, including those without any interaction. Identifiers appear as
-- keyed
-- hashes: equal identifiers have equal hashes, and nobody without the warehouse's
-- private key can go back. Grain: one customer.
with

    assignments as (select * from {{ ref("int_identity__assignments") }}),

    customers as (
        select
            {{ identifier_key("customer_ref") }} as identifier_key,
            country,
            created_at,
            customer_ref
        from {{ ref("stg_customers__customers") }}
    ),

    erasures as (
        select identifier_type || ':' || identifier_value as identifier_key
        from {{ ref("stg_privacy__erasure_requests") }}
    ),

    countries as (
        select
            assignments.customer_id,
            customers.country,
            row_number() over (
                partition by assignments.customer_id
                order by customers.created_at nulls last, customers.customer_ref
            ) as country_rank
        from customers
        inner join assignments on customers.identifier_key = assignments.identifier_key
        where customers.country is not null
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by customer_id, identifier_type
                order by first_seen_at, identifier_key
            ) as value_rank
        from assignments
    ),

    identified as (
        select
            customer_id,
            min(first_seen_at) as first_seen_at,
            {%- for type in identifier_types() %}
                min(
                    case
                        when identifier_type = '{{ type }}' and value_rank = 1
                        then identifier_hash
                    end
                ) as {{ type }}_hash,
            {%- endfor %}
            count(*) as identifiers
        from ranked
        group by customer_id
    ),

    erased as (
        select distinct assignments.customer_id
        from assignments
        inner join erasures on assignments.identifier_key = erasures.identifier_key
    ),

    final as (
        select
            identified.customer_id,
            identified.first_seen_at,
            {%- for type in identifier_types() %}
                identified.{{ type }}_hash,
            {%- endfor %}
            identified.identifiers,
            countries.country,
            erased.customer_id is not null as is_erased
        from identified
        left join
            countries
            on identified.customer_id = countries.customer_id
            and countries.country_rank = 1
        left join erased on identified.customer_id = erased.customer_id
    )

select *
from final
