{#- Materialization `connected_components`.

    The model's SQL returns the edges of an undirected graph (columns left_key, right_key); the table that is built
    holds (node_key, component_key): every node with an edge, and the smallest key of its component.

    SQL has no loop that every engine knows, so the loop is here. A round lets every node point to its smallest
    neighbour, follows the pointers to their roots by doubling, and shrinks the graph to the edges between roots.
    A chain of n links shrinks by at least half in a round, so the round limit (config `max_rounds`) is never met
    by real data; a run that meets it fails rather than publish customers that are not yet whole. -#}
{% materialization connected_components, default %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set max_rounds = config.get("max_rounds", 40) -%}
    {%- set work = namespace(rounds=0, edges=1, pending=1) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement("edges") %}
        create or replace table {{ scratch_relation(this, "edges") }} as
        select distinct left_key, right_key from ({{ compiled_code }}) as given where left_key < right_key
        union
        select distinct right_key as left_key, left_key as right_key from ({{ compiled_code }}) as given where right_key < left_key
    {% endcall %}
    {% call statement("nodes") %}
        create or replace table {{ scratch_relation(this, "nodes") }} as
        select left_key as node_key, left_key as component_key from {{ scratch_relation(this, "edges") }}
        union
        select right_key, right_key from {{ scratch_relation(this, "edges") }}
    {% endcall %}
    {%- set work.edges = (
        run_query("select count(*) from " ~ scratch_relation(this, "edges"))
        .columns[0]
        .values()[0]
    ) -%}

    {%- for _ in range(max_rounds) if work.edges > 0 -%}
        {%- set work.rounds = work.rounds + 1 -%}
        {% call statement("point") %}
            create or replace table {{ scratch_relation(this, "pointers") }} as
            select node_key, min(smallest_key) as root_key
            from (
                select right_key as node_key, min(left_key) as smallest_key from {{ scratch_relation(this, "edges") }} group by right_key
                union all
                select left_key, left_key from {{ scratch_relation(this, "edges") }} group by left_key
            ) as neighbours
            group by node_key
        {% endcall %}
        {%- set work.pending = 1 -%}
        {%- for _ in range(max_rounds) if work.pending > 0 -%}
            {% call statement("double") %}
                create or replace table {{ scratch_relation(this, "doubled") }} as
                select pointers.node_key, targets.root_key, pointers.root_key as former_root_key
                from {{ scratch_relation(this, "pointers") }} as pointers
                join {{ scratch_relation(this, "pointers") }} as targets on pointers.root_key = targets.node_key
            {% endcall %}
            {%- set work.pending = (
                run_query(
                    "select count(*) from "
                    ~ scratch_relation(this, "doubled")
                    ~ " where root_key <> former_root_key"
                )
                .columns[0]
                .values()[0]
            ) -%}
            {% call statement("advance") %}
                create or replace table {{ scratch_relation(this, "pointers") }} as select node_key, root_key from {{ scratch_relation(this, "doubled") }}
            {% endcall %}
        {%- endfor -%}
        {%- if work.pending > 0 -%}
            {{
                exceptions.raise_compiler_error(
                    this.identifier
                    ~ ": pointers did not settle within "
                    ~ max_rounds
                    ~ " doublings; raise max_rounds"
                )
            }}
        {%- endif -%}
        {% call statement("relabel") %}
            create or replace table {{ scratch_relation(this, "relabelled") }} as
            select nodes.node_key, coalesce(pointers.root_key, nodes.component_key) as component_key
            from {{ scratch_relation(this, "nodes") }} as nodes
            left join {{ scratch_relation(this, "pointers") }} as pointers on nodes.component_key = pointers.node_key
        {% endcall %}
        {% call statement("keep") %}
            create or replace table {{ scratch_relation(this, "nodes") }} as select node_key, component_key from {{ scratch_relation(this, "relabelled") }}
        {% endcall %}
        {% call statement("shrink") %}
            create or replace table {{ scratch_relation(this, "shrunk") }} as
            select left_key, right_key
            from (
                select distinct least(lefts.root_key, rights.root_key) as left_key, greatest(lefts.root_key, rights.root_key) as right_key
                from {{ scratch_relation(this, "edges") }} as edges
                join {{ scratch_relation(this, "pointers") }} as lefts on edges.left_key = lefts.node_key
                join {{ scratch_relation(this, "pointers") }} as rights on edges.right_key = rights.node_key
            ) as relinked
            -- were the roots compared directly, an optimizer could join pointers with
            -- pointers by that alone
            where left_key < right_key
        {% endcall %}
        {% call statement("next_edges") %}
            create or replace table {{ scratch_relation(this, "edges") }} as select left_key, right_key from {{ scratch_relation(this, "shrunk") }}
        {% endcall %}
        {%- set work.edges = (
            run_query(
                "select count(*) from " ~ scratch_relation(this, "edges")
            )
            .columns[0]
            .values()[0]
        ) -%}
    {%- endfor -%}
    {%- if work.edges > 0 -%}
        {{
            exceptions.raise_compiler_error(
                this.identifier
                ~ ": components have not converged after "
                ~ work.rounds
                ~ " rounds ("
                ~ work.edges
                ~ " edges left); raise max_rounds"
            )
        }}
    {%- endif -%}

    {%- if existing is not none and existing.type != "table" -%}
        {{ adapter.drop_relation(existing) }}
    {%- endif -%}
    {% call statement("main") %}
        create or replace table {{ target_relation }} as select node_key, component_key from {{ scratch_relation(this, "nodes") }}
    {% endcall %}
    {%- for name in [
        "edges",
        "nodes",
        "pointers",
        "doubled",
        "relabelled",
        "shrunk",
    ] -%}
        {% call statement("drop_" ~ name) %} drop table if exists
            {{ scratch_relation(this, name) }}
        {% endcall %}
    {%- endfor -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{#- A table for the time of the build, beside the one that is built. -#}
{% macro scratch_relation(relation, name) -%}
    {{
        return(
            api.Relation.create(
                database=relation.database,
                schema=relation.schema,
                identifier=relation.identifier ~ "__" ~ name,
            )
        )
    }}
{%- endmacro %}
