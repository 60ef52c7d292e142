"""Passengers of the Titanic: two feature tables, a third joined from both, and a model asked by passenger id."""
