"""What runs inside a peer's process, in the peer's environment. Imports nothing of Penstock's."""
