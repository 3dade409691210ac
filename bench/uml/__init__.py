"""What runs inside the small Linux that nfs.py boots."""
