"""What is expected of the marts, before they are published: one module a mart.

Queries see the marts by their schema (`marts.<mart>`) and the layers before them in the attached
staging file (`staging.<schema>.<model>`). In a night, `batch` and `written.<mart>` are what the night has
written: all rows of restated customers, and of everybody else what was not known, or the months that were not
closed. Customers are compared there, so both sides must be read there; totals are those of whole marts, which
also shows what was lost of earlier nights.

System acts (`prompt_status` = system) stay in
`fct_interactions` for the sake of revenue and count in none of the five facts.
"""
