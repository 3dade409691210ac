"""Users and their quotas, for pages, API and commands alike: find, explain, change. No HTTP."""
