"""The tools for terminal sessions and for files on their hosts: a table, arguments, results, and their readable form."""
