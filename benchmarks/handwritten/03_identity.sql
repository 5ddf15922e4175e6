-- Who is who. Identifiers become numbers in the order of their keys, so that ties are broken as if by the keys.

create table seen_together as
with
    all_rows as (
        select user_id, email, anonymous_id, min(occurred_at) as seen_at
        from web_events
        where occurred_at < getvariable('known_until')
        group by user_id, email, anonymous_id
        union all by name
        select customer_ref, email, phone, min(occurred_at) as seen_at
        from message_events
        where occurred_at < getvariable('known_until')
        group by customer_ref, email, phone
        union all by name
        select
            allowed('customer_ref', customer_ref) as customer_ref,
            email,
            phone,
            loyalty_id,
            coalesce(created_at, loaded_at) as seen_at
        from customers
        union all by name
        select customer_ref, email, loyalty_id, occurred_at as seen_at
        from coupon_redemptions
        union all by name
        select customer_ref, user_id, email, phone, loyalty_id, occurred_at as seen_at
        from orders
        union all by name
        select customer_ref, user_id, email, handle, occurred_at as seen_at
        from support_tickets
        union all by name
        select customer_ref, handle, occurred_at as seen_at
        from social_events
        union all by name
        select customer_ref, user_id, email, handle, occurred_at as seen_at
        from reviews
        union all by name
        select customer_ref, email, loyalty_id, occurred_at as seen_at
        from loyalty_events
        union all by name
        select customer_ref, email, occurred_at as seen_at
        from survey_responses
        union all by name
        select customer_ref, user_id, email, handle, occurred_at as seen_at
        from community_events
        union all by name
        select customer_ref, loyalty_id, occurred_at as seen_at
        from store_visits
        union all by name
        select referrer_ref as customer_ref, occurred_at as seen_at
        from referrals
        union all by name
        select referred_ref as customer_ref, referred_email as email, occurred_at as seen_at
        from referrals
    ),

    combinations as (
        select * exclude (seen_at), min(seen_at) as seen_at
        from all_rows
        where seen_at < getvariable('known_until')
        group by all
    ),

    numbered as (select row_number() over () as row_no, * from combinations)

unpivot numbered
on customer_ref, user_id, loyalty_id, email, phone, handle, anonymous_id
into name kind value value;

insert into seen_together by name
with
    links as (
        select row_number() over () as link_no, *
        from identity_links
        where
            left_value is not null
            and right_value is not null
            and (left_kind, left_value) <> (right_kind, right_value)
            and seen_at < getvariable('known_until')
    )
select - link_no as row_no, left_kind as kind, left_value as value, seen_at
from links
union all
select - link_no as row_no, right_kind as kind, right_value as value, seen_at
from links;

create table identifiers as
select
    row_number() over (order by kind || ':' || value) as id,
    kind,
    value,
    kind || ':' || value as key,
    rules.priority::integer as priority,
    rules.is_strong::boolean as is_strong,
    rules.max_per_customer::integer as max_per_customer,
    first_seen_at
from (select kind, value, min(seen_at) as first_seen_at from seen_together group by kind, value)
inner join seed('identifier_rules') as rules on kind = rules.identifier_type;

-- two identifiers of one row or link, lower number first
create table edges as
with
    groups as (
        select list(identifiers.id) as ids, any_value(seen_at) as seen_at
        from seen_together
        inner join identifiers using (kind, value)
        group by row_no
        having count(*) > 1
    ),

    lefts as (select unnest(ids) as left_id, ids, seen_at from groups),

    pairs as (select left_id, unnest(ids) as right_id, seen_at from lefts),

    distinct_pairs as (
        select left_id, right_id, min(seen_at) as seen_at
        from pairs
        where left_id < right_id
        group by left_id, right_id
    )
select
    left_id, right_id, seen_at, lefts.is_strong as left_is_strong, rights.is_strong as right_is_strong
from distinct_pairs
inner join identifiers as lefts on left_id = lefts.id
inner join identifiers as rights on right_id = rights.id;

-- a weak identifier belongs to the strong one that it was first seen beside
create table owned as
select
    if(left_is_strong, right_id, left_id) as id,
    arg_min(if(left_is_strong, left_id, right_id), row(seen_at, if(left_is_strong, left_id, right_id)))
    as strong_id
from edges
where left_is_strong <> right_is_strong
group by id;

-- strong identifiers seen together, and weak ones, seen beside no strong one, seen together
create table groups as
with recursive
    neighbours as (
        select left_id as id, right_id as neighbour_id
        from edges
        where
            (left_is_strong and right_is_strong)
            or (
                not left_is_strong
                and not right_is_strong
                and left_id not in (select id from owned)
                and right_id not in (select id from owned)
            )
    ),

    both_ways as (
        from neighbours
        union all
        select neighbour_id, id
        from neighbours
    ),

    -- every round hooks the root of a node to the smallest root next door and halves the way to the root, so that a
    -- chain of a thousand links takes ten rounds
    components (id, component_id) using key (id) as (
        select id, least(id, min(neighbour_id))
        from both_ways
        group by id
        union
        select candidates.id, min(candidates.component_id)
        from
            (
                select mine.component_id as id, theirs.component_id
                from both_ways
                inner join recurring.components as mine on both_ways.id = mine.id
                inner join recurring.components as theirs on both_ways.neighbour_id = theirs.id
                union all
                select mine.id, roots.component_id
                from recurring.components as mine
                inner join recurring.components as roots on mine.component_id = roots.id
            ) as candidates
        inner join recurring.components as former on candidates.id = former.id
        where candidates.component_id < former.component_id
        group by candidates.id
    )
from components;

create table people as
with
    anchored as (
        select
            identifiers.*,
            owned.strong_id is not null as is_owned,
            coalesce(groups.component_id, owned.strong_id, identifiers.id) as group_id
        from identifiers
        left join owned using (id)
        left join groups on coalesce(owned.strong_id, identifiers.id) = groups.id
    ),

    -- a group of weak identifiers belongs to the owned one that it was first seen beside
    weak_edges as (
        select left_id as id, right_id as neighbour_id, seen_at
        from edges
        where not left_is_strong and not right_is_strong
        union all
        select right_id, left_id, seen_at
        from edges
        where not left_is_strong and not right_is_strong
    ),

    adopted as (
        select
            loose.group_id,
            arg_min(owners.group_id, row(weak_edges.seen_at, neighbour_id, weak_edges.id)) as cluster_id
        from weak_edges
        inner join anchored as loose on weak_edges.id = loose.id
        inner join anchored as owners on neighbour_id = owners.id
        where not loose.is_strong and not loose.is_owned and owners.is_owned
        group by loose.group_id
    ),

    clustered as (
        select
            anchored.*,
            coalesce(
                case when not is_strong and not is_owned then adopted.cluster_id end, anchored.group_id
            ) as cluster_id
        from anchored
        left join adopted using (group_id)
    ),

    -- values beyond the permitted number of a kind stand alone
    limited as (
        select
            * exclude (cluster_id),
            if(
                row_number() over (partition by cluster_id, kind order by first_seen_at, id)
                > max_per_customer,
                - id,
                cluster_id
            ) as cluster_id
        from clustered
    ),

    leaders as (
        select cluster_id, arg_min(id, row(priority, first_seen_at, id)) as person
        from limited
        group by cluster_id
    )
select
    id,
    kind,
    value,
    key,
    first_seen_at,
    person,
    substr(
        sha256(getvariable('hash_key') || sha256(getvariable('hash_key') || key)), 1, 32
    ) as identifier_hash
from limited
inner join leaders using (cluster_id);

create table person_ids as
select id as person, identifier_hash as customer_id
from people
where id = person;
