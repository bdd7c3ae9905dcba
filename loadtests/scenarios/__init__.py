"""One file for each scenario; each is a locustfile, run from the repository's root."""
