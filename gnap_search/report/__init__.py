"""What people look at: live view, plain lines, tables, plots and a page; what programs read: records."""
