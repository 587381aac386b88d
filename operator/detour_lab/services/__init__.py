"""Regional services on loopback addresses, which can be broken on purpose."""
