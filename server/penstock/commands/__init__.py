"""The subcommands of `penstock` beside `serve` and `bench`. Each is imported when it is run."""

__all__: list[str] = []
