"""What people read of an object: its status, its events, and patches of its metadata."""
