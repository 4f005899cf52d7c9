"""What an operator watches: health, metrics, and logs in which the lines of one request can be told by its id."""
