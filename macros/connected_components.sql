{#- Materialization `connected_components`.

    The model's SQL returns the edges of an undirected graph (columns left_key, right_key); the table that is built
    holds (node_key, component_key): every node with an edge, and the smallest key of its component. In a night that
    builds on the last one the SQL returns only edges among nodes that meta.cleared_by (a model, with a ref of its own
    in the SQL) lists in its column meta.cleared_as: their rows give way, all others stay.

    SQL has no loop that every engine knows, so the loop is here. A round lets every node point to its smallest
    neighbour, follows the pointers to their roots by doubling, and shrinks the graph to the edges between roots.
    A chain of n links shrinks by at least half in a round, so the round limit (config `max_rounds`) is never met
    by real data; a run that meets it fails rather than publish customers that are not yet whole. No engine reads a
    table that it replaces, so every table of the loop has two names that take turns. -#}
{% materialization connected_components, default %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set max_rounds = config.get("max_rounds", 40) -%}
    {%- set scope = config.get("meta") or {} -%}
    {%- set edges = [
        scratch_relation(this, "edges"),
        scratch_relation(this, "relinked"),
    ] -%}
    {%- set nodes = [
        scratch_relation(this, "nodes"),
        scratch_relation(this, "relabelled"),
    ] -%}
    {%- set pointers = [
        scratch_relation(this, "pointers"),
        scratch_relation(this, "doubled"),
    ] -%}
    {%- set work = namespace(rounds=0, edges=1, doublings=0, pending=1) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement("edges") %}
        create or replace table {{ edges[0] }} as
        select distinct left_key, right_key from ({{ compiled_code }}) as given where left_key < right_key
        union
        select distinct right_key as left_key, left_key as right_key from ({{ compiled_code }}) as given where right_key < left_key
    {% endcall %}
    {% call statement("nodes") %}
        create or replace table {{ nodes[0] }} as
        select left_key as node_key, left_key as component_key from {{ edges[0] }}
        union
        select right_key, right_key from {{ edges[0] }}
    {% endcall %}
    {%- set work.edges = rows_counted(edges[0]) -%}

    {%- for _ in range(max_rounds) if work.edges > 0 -%}
        {%- set from_edges = edges[work.rounds % 2] -%}
        {%- set to_edges = edges[(work.rounds + 1) % 2] -%}
        {%- set from_nodes = nodes[work.rounds % 2] -%}
        {%- set to_nodes = nodes[(work.rounds + 1) % 2] -%}
        {%- set work.rounds = work.rounds + 1 -%}
        {%- set work.doublings = 0 -%}
        {%- set work.pending = 1 -%}
        {% call statement("point") %}
            create or replace table {{ pointers[0] }} as
            select node_key, min(smallest_key) as root_key, true as has_moved
            from (
                select right_key as node_key, min(left_key) as smallest_key from {{ from_edges }} group by right_key
                union all
                select left_key, left_key from {{ from_edges }} group by left_key
            ) as neighbours
            group by node_key
        {% endcall %}
        {%- for _ in range(max_rounds) if work.pending > 0 -%}
            {%- set from_pointers = pointers[work.doublings % 2] -%}
            {%- set to_pointers = pointers[(work.doublings + 1) % 2] -%}
            {%- set work.doublings = work.doublings + 1 -%}
            {% call statement("double") %}
                create or replace table {{ to_pointers }} as
                select pointers.node_key, targets.root_key, targets.root_key <> pointers.root_key as has_moved
                from {{ from_pointers }} as pointers
                join {{ from_pointers }} as targets on pointers.root_key = targets.node_key
            {% endcall %}
            {%- set work.pending = rows_counted(to_pointers ~ " where has_moved") -%}
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
        {%- set roots = pointers[work.doublings % 2] -%}
        {% call statement("relabel") %}
            create or replace table {{ to_nodes }} as
            select nodes.node_key, coalesce(roots.root_key, nodes.component_key) as component_key
            from {{ from_nodes }} as nodes
            left join {{ roots }} as roots on nodes.component_key = roots.node_key
        {% endcall %}
        {% call statement("shrink") %}
            create or replace table {{ to_edges }} as
            select left_key, right_key
            from (
                select distinct least(lefts.root_key, rights.root_key) as left_key, greatest(lefts.root_key, rights.root_key) as right_key
                from {{ from_edges }} as edges
                join {{ roots }} as lefts on edges.left_key = lefts.node_key
                join {{ roots }} as rights on edges.right_key = rights.node_key
            ) as relinked
            -- were the roots compared directly, an optimizer could join pointers with
            -- pointers by that alone
            where left_key < right_key
        {% endcall %}
        {%- set work.edges = rows_counted(to_edges) -%}
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
    {%- set labelled = nodes[work.rounds % 2] -%}
    {% call statement("main") %}
        {%- if existing is not none and builds_on_last_night() -%}
            {{ rows_deleted(target_relation, keys_cleared(["node_key"], scope)) }}
            {{ rows_inserted(target_relation, "node_key, component_key", labelled) }}
        {%- else -%}
            {{ table_replaced(target_relation, "node_key, component_key", labelled) }}
        {%- endif -%}
        {%- for relation in edges + nodes + pointers %}
            drop table if exists {{ relation }};
        {%- endfor %}
    {% endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{#- Number of rows, asked of the database at once: `rows` is a relation, with a condition if wanted. -#}
{% macro rows_counted(rows) -%}
    {{ return(run_query("select count(*) from " ~ rows).columns[0].values()[0]) }}
{%- endmacro %}

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
