"""The benchmarks against peers: `python -m bench.run`, which `make bench` calls. See README.md."""
