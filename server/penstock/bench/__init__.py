"""`penstock bench`: the Python side of the load generator.

What is sent and when is prepared here before a run, and what was measured is judged here after it.
The calls themselves are sent and timed in C++ (penstock._core.LoadRun), without the GIL.
"""

__all__: list[str] = []
