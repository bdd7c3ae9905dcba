"""`make bench`: the contenders, then the results bit by bit, then the start time.

Usage: python bench/run.py [flags of bench/harness.py]. With --only just the named scenarios run.
Can be called as a file from anywhere. Exit code 0 if everything was measured and met its target.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import check_results, harness, start_time


def main() -> int:
    """Runs every part, also after one has missed its target, and returns the worst code."""
    arguments = harness.parse_arguments()
    worst = harness.main(arguments)
    if set(arguments.only) != set(harness.SCENARIO_NAMES):
        return worst
    host = [f"--host={arguments.host}"] if arguments.host is not None else []
    print("\nResults against ONNX Runtime's Python API:", flush=True)
    worst = max(worst, check_results.main(host))
    print("\nProcess start to ready, demo model:", flush=True)
    return max(worst, start_time.main(host))


if __name__ == "__main__":
    sys.exit(main())
