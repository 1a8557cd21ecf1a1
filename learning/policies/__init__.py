"""What training leaves behind: policies that plan instances."""
