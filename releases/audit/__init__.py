"""What releases add to the audit: reports about them, and the sealed bundle that an auditor checks without a server."""
