"""The service's pages: tornado handlers behind the hub's OAuth."""
