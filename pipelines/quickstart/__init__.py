"""The quickstart: customers in one table, a plain model without feature lookups, and a table to be scored."""
