"""What is expected of the raw views, before anything is read from them: one module a channel.

A table that a company does not have is an empty view with the contract's columns, and passes.
"""
