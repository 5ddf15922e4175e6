"""Measures what the house costs against the least that the same tables can cost. See docs/benchmarks.md.

What does NOT belong here: assertions about time (a slow machine is no bug), and anything that a night needs.
"""
