"""The summary of a home as it is added up: rules, sums of a part, parts together."""
