# Error pages and messages.
