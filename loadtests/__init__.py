"""Load tests with Locust: `python -m loadtests.run SCENARIO`. See README.md."""
