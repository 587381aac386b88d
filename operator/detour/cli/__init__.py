"""The command line: what people see, ask and do. It reads what the operator wrote, and needs no cloud's SDK."""
