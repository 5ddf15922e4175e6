-- Identifiers that are clustered again tonight: what was seen together otherwise than
-- before, and all that hangs together with it. Whatever links such an identifier to
-- another is new, and then that one is listed for itself, or was there before, and then
-- both are of one component. Stateless: a killed night may have stored components of
-- its
-- own, but each part into which it split one has an end of a link that it took away.
-- Empty in a full build. Grain: one identifier.
{%- set combinations = ref("int_identity__combinations") %}
{%- set links = ref("int_identity__links") %}
with

    {% if builds_on_last_night() %}
        {#- as the last night left them: tonight's are made from this model -#}
        {%- set components = night_relation("int_identity__components") %}

        changed as (
            {% for type in identifier_types() -%}
                select {{ type }} as identifier_key
                from {{ changes_of(combinations) }}
                where {{ is_unseen() }} and {{ type }} is not null
                union
            {% endfor -%}
            {% for end in ["left_key", "right_key"] -%}
                select {{ end }} as identifier_key
                from {{ changes_of(links) }}
                where {{ is_unseen() }} {{ "union" if not loop.last }}
            {% endfor -%}
        ),

        changed_components as (
            select components.component_key
            from {{ components }} as components
            semi join changed on components.node_key = changed.identifier_key
        ),

        final as (
            select identifier_key
            from changed
            union
            select components.node_key as identifier_key
            from {{ components }} as components
            semi join
                changed_components
                on components.component_key = changed_components.component_key
        )
    {%- else %}
        combinations as (select customer_ref as identifier_key from {{ combinations }}),

        final as (select identifier_key from combinations where 1 = 0)
    {%- endif %}

select *
from final
