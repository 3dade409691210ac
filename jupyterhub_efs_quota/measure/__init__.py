"""A home -> usage."""
