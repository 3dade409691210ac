"""`jupyterhub-efs-quota doctor`: looks at everything that may be wrong, and changes nothing."""
