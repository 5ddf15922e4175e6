"""What is expected of the marts, before they are published: one module a mart."""
