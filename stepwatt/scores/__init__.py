"""What a comparison is: its record, its statistics, its file."""
