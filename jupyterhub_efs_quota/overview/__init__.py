"""How a site stands as a whole: worked out here for the overview's page, the API and commands."""
