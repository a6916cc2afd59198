//! A rectangle with round corners, for renderers whose paths know only lines and curves.

use super::layout::{Area, Mm};

pub(super) trait Pen {
    fn begin(&mut self, x: Mm, y: Mm);
    fn line(&mut self, x: Mm, y: Mm);
    /// A cubic Bézier: two handles and where it ends.
    fn curve(&mut self, points: [(Mm, Mm); 3]);
    fn end(&mut self);
}

/// How far a handle stands from its end, in radii, for a quarter of a circle.
const HANDLE: f32 = 0.552_285;

pub(super) fn outline(area: &Area, corner: Mm, pen: &mut impl Pen) {
    let (left, top) = (area.left, area.top);
    let (right, bottom) = (left + area.width, top + area.height);
    if corner <= 0.0 {
        pen.begin(left, top);
        pen.line(right, top);
        pen.line(right, bottom);
        pen.line(left, bottom);
        pen.end();
        return;
    }
    let far = corner * (1.0 - HANDLE);
    pen.begin(left + corner, top);
    pen.line(right - corner, top);
    pen.curve([
        (right - far, top),
        (right, top + far),
        (right, top + corner),
    ]);
    pen.line(right, bottom - corner);
    pen.curve([
        (right, bottom - far),
        (right - far, bottom),
        (right - corner, bottom),
    ]);
    pen.line(left + corner, bottom);
    pen.curve([
        (left + far, bottom),
        (left, bottom - far),
        (left, bottom - corner),
    ]);
    pen.line(left, top + corner);
    pen.curve([(left, top + far), (left + far, top), (left + corner, top)]);
    pen.end();
}

/// What draws paths for PDF and for PNG has the same methods under the same names, and no trait for them.
macro_rules! pen {
    ($builder:ty) => {
        impl Pen for $builder {
            fn begin(&mut self, x: Mm, y: Mm) {
                self.move_to(x, y);
            }

            fn line(&mut self, x: Mm, y: Mm) {
                self.line_to(x, y);
            }

            fn curve(&mut self, [a, b, end]: [(Mm, Mm); 3]) {
                self.cubic_to(a.0, a.1, b.0, b.1, end.0, end.1);
            }

            fn end(&mut self) {
                self.close();
            }
        }
    };
}

pen!(krilla::geom::PathBuilder);
pen!(tiny_skia::PathBuilder);
