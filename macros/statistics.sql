{#- Statistics that no engine has built in. -#}
{#- Bound of the Wilson score interval of a share (0-1) observed in `trials` trials; null without trials. Where the bound is
    the share itself (none, or all), it is given as such: rounding would rank customers who are equal.
    Source: Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference. -#}
{% macro wilson_bound(share, trials, z, upper) -%}
    case
        when {{ trials }} > 0 and {{ share }} = {{ "1" if upper else "0" }}
        then cast({{ share }} as double)
        when {{ trials }} > 0
        then
            (
                {{ share }} + {{ z }} * {{ z }} / (2.0 * {{ trials }})
                {{ "+" if upper else "-" }} {{ z }} * sqrt(
                    {{ share }} * (1 - {{ share }}) / {{ trials }}
                    + {{ z }} * {{ z }} / (4.0 * {{ trials }} * {{ trials }})
                )
            )
            / (1 + {{ z }} * {{ z }} / {{ trials }})
    end
{%- endmacro %}

{#- Bound of the interval of Spearman's rank correlation in a sample of `n`: Fisher's transformation with the standard
    error sqrt((1 + r^2 / 2) / (n - 3)). Null with fewer than four, and where the order is the same throughout.
    Source: Bonett, D. G., Wright, T. A. (2000), Sample size requirements for estimating Pearson, Kendall and Spearman
    correlations, Psychometrika 65. -#}
{% macro spearman_bound(r, n, z, upper) -%}
    case
        when {{ n }} > 3 and abs({{ r }}) < 1
        then
            tanh(
                atanh({{ r }})
                {{ "+" if upper else "-" }} {{ z }}
                * sqrt((1 + {{ r }} * {{ r }} / 2) / cast({{ n }} - 3 as double))
            )
    end
{%- endmacro %}

{#- A number of which sums are exact: doubles that are added in another order differ in their last digits, and a night
    would differ from a full refresh. Millionths are kept. -#}
{% macro exact(expression) -%} cast({{ expression }} as decimal(18, 6)) {%- endmacro %}
