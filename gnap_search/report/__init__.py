"""What people look at: the live view, plain lines, tables and plots."""
