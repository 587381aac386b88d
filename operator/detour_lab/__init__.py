"""Clouds in a box: strict emulators, name servers and regional services that can be broken on purpose."""
