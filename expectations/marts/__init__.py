"""What is expected of the marts, before they are published: one module a mart.

Queries see the marts by their schema (`marts.<mart>`) and the layers before them in the attached
staging file (`staging.<schema>.<model>`). System acts (`prompt_status` = system) stay in
`fct_interactions` for the sake of revenue and count in none of the five facts.
"""
