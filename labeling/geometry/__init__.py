"""Pure kernels for shapes and masks. No Django, no files.

Conventions, for every file here:

- Vector coordinates are continuous pixels (x, y) = (column, row), x to the right and y down. Pixel (col c, row r) is
  the unit square [c, c+1) x [r, r+1) and its centre is (c + .5, r + .5).
- Boxes are half-open, `[x0, y0, x1, y1]`: a pixel box holds the columns x0 <= c < x1 and the rows y0 <= r < y1.
- Arrays are row-major and indexed [row, col]: a mask is bool (H, W), an id map uint32 (H, W) where 0 is void, no id.
  Run lengths alone are column-major, because COCO's are.
- Which pixels an outline covers is defined in `rasterize`, and nowhere else. Outer rings that we make run clockwise on
  the screen, holes against it; what others send may run either way.
- Sizes are [h, w] where COCO says so, and named `_wh` otherwise.
- Angles are degrees; positive turns the x axis towards the y axis (clockwise on a screen).
- Coordinates that were sent are never changed; derived ones are rounded to 1/1024 px.
"""
