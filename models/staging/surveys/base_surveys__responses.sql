-- Answers to surveys: every version as loaded, cast to the contract's types,
-- identifiers normalised, with the first rule that the row breaks. Grain: one raw row.
{%- set delivered = delivered_columns("survey_responses") %}
with

    raw_rows as ({{ raw_rows("survey_responses", delivered) }}),

    time_bounds as ({{ time_bounds() }}),

    typed as (select {{ typed_columns("survey_responses", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("survey_responses") }},
            {{ quarantine_rule("survey_responses", delivered) }} as quarantine_rule
        from typed
        cross join time_bounds
    )

select *
from final
