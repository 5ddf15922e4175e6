-- Identifiers that are clustered again tonight: what was seen together otherwise than
-- before, and all that hangs together with it, whatever the rules make of it. Nothing
-- links them to others: a link that is new has ends that are listed for themselves, and
-- all others are stored. Stateless: where a killed night has stored links of its own,
-- each part into which it split what hung together has an end of a link that it took
-- away. Empty in a full build. Grain: one identifier.
{%- set combinations = ref("int_identity__combinations") %}
{%- set links = ref("int_identity__links") %}
with

    {% if builds_on_last_night() %}
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

        -- by what the last night left: tonight's is made from this model
        final as (
            {{
                hanging_together(
                    "changed",
                    night_relation("int_identity__edges"),
                    night_relation("int_identity__assignments"),
                )
            }}
        )
    {%- else %}
        combinations as (select customer_ref as identifier_key from {{ combinations }}),

        final as (select identifier_key from combinations where 1 = 0)
    {%- endif %}

select *
from final
