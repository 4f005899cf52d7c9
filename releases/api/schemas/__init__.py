"""The forms of what the addresses of releases take and give, for the OpenAPI document."""
