"""From what there is to report to the status that `kubectl` shows. Pure: times come in, nothing is written here."""
