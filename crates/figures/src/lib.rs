//! The course's figures: small SVG pictures that a page, a notebook and the command line share.
//!
//! | type | shows |
//! |---|---|
//! | [`Lines`] | named series over one axis, logarithmic on request, with theory dashed and bands of spread |
//! | [`Bars`] | one number per label, or one group of numbers per label |
//! | [`Heatmap`] | a matrix: attention weights, scores, a mask, one panel a head |
//! | [`Vectors2d`] | arrows from the origin, and the angle between two of them |
//! | [`Diagram`] | what flows where: boxes, steps and grids in rows, arrows between them, shapes as labels |
//!
//! In diagrams each [`Role`] of a tensor, from query to output, has one colour, the same in all of the course.
//!
//! Each is a builder that ends in `draw()`, which gives a [`Figure`] or a [`FigureError`]:
//!
//! ```
//! # fn main() -> Result<(), figures::FigureError> {
//! figures::Lines::new("Dot products spread with the width")
//!     .x("head_dim d")
//!     .y("variance of q·k")
//!     .log2_x()
//!     .line("measured", &[(8, 7.9), (16, 16.2), (32, 31.8)])
//!     .theory("d", &[(8, 8), (32, 32)])
//!     .draw()?
//! # ;
//! # Ok(())
//! # }
//! ```

mod axis;
mod bars;
mod canvas;
mod colour;
mod diagram;
mod error;
mod figure;
mod heatmap;
mod legend;
mod lines;
mod number;
mod role;
mod text;
mod vectors;

pub use bars::Bars;
pub use diagram::{Cell, Diagram, Node};
pub use error::FigureError;
pub use figure::Figure;
pub use heatmap::Heatmap;
pub use lines::Lines;
pub use number::Number;
pub use role::Role;
pub use vectors::Vectors2d;
