"""The data of zones, whoever serves and edits them."""
