"""What a server does with more than it can do: one row of a table for each promise."""
