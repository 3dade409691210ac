"""One Dask cluster for many homes: what is sent there, split, and put together."""
