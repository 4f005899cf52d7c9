"""What lies between two keyframes. Pure: numpy and nothing else.

numbers  straight lines, shortest arcs, rotations, and the grids that derived coordinates are rounded to
curves   which point of a ring or line becomes which point of another
blends   every form of geometry, from one keyframe to the next
"""

from sequences.interpolation.blends import blended, continued
from sequences.interpolation.numbers import PER_METRE, PER_PIXEL, lerp, on_grid, slerp, track_lerp

__all__ = ["PER_METRE", "PER_PIXEL", "blended", "continued", "lerp", "on_grid", "slerp", "track_lerp"]
