"""What sequences add to the REST API: tracks, frames, and a preview of what lies between keyframes."""
