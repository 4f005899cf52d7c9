"""What `bench api` is measured beside: the same server with one more address, that of a bare view."""
