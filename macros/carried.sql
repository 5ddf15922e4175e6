{#- Gives each event the latest state of its key that was reached before it (an ASOF join).

    events, states      names of CTEs; both hold the columns of `keys`
    event_time          column of `events`
    state_time          column of `states`, unique within the keys
    columns             columns of `states` to carry; null where no state was reached yet
    inclusive           true: a state reached at the very instant of the event counts

    Returns a whole select: every column of `events`, then the carried ones. -#}
{% macro carried(
    events, states, keys, event_time, state_time, columns, inclusive=false
) -%}
    {{
        return(
            adapter.dispatch("carried", "engagement_warehouse")(
                events, states, keys, event_time, state_time, columns, inclusive
            )
        )
    }}
{%- endmacro %}

{% macro duckdb__carried(
    events, states, keys, event_time, state_time, columns, inclusive
) -%}
    select
        {{ events }}.*,
        {%- for column in columns %}
            {{ states }}.{{ column }}{{ "," if not loop.last }}
        {%- endfor %}
    from {{ events }}
    asof left join
        {{ states }}
        on {% for key in keys %}
            {{ events }}.{{ key }} = {{ states }}.{{ key }} and
        {% endfor -%}
        {{ events }}.{{ event_time }} {{ ">=" if inclusive else ">" }} {{ states }}.{{ state_time }}
{%- endmacro %}
