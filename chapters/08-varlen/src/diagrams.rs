//! The page's diagram: the same sequences padded and packed.

use crate::solution::cu_seqlens;
use candle_core::{Device, Error, Result};
use figures::{Cell, Diagram, Figure, Node, Role};

const LENGTHS: [usize; 3] = [2, 3, 4];

/// Sequences of 2, 3 and 4 tokens, padded to a box and packed into a row with `cu_seqlens` below its borders.
pub fn padded_and_packed() -> Result<Figure> {
    let longest = LENGTHS.into_iter().max().unwrap_or(0);
    let token = |sequence: usize, at: usize| {
        let digit = ["₀", "₁", "₂", "₃"][at];
        Cell::new(Role::Sequence(sequence), format!("{}{digit}", ["a", "b", "c"][sequence]))
            .strength(0.6)
    };
    let padded = LENGTHS.iter().enumerate().map(|(sequence, &length)| {
        let cell = |at| if at < length { token(sequence, at) } else { Cell::empty("pad") };
        (0..longest).map(cell).collect::<Vec<_>>()
    });
    let tokens = |(sequence, &length): (usize, &usize)| {
        (0..length).map(|at| token(sequence, at)).collect::<Vec<_>>()
    };
    let packed: Vec<Cell> = LENGTHS.iter().enumerate().flat_map(tokens).collect();
    let (places, total) = (LENGTHS.len() * longest, packed.len());
    let ends = cu_seqlens(&LENGTHS, &Device::Cpu)?.to_vec1::<u32>()?;
    let mut row =
        Node::grid(Role::Plain, "packed", [packed]).id("packed").shape(format!("({total}, d)"));
    for end in &ends {
        row = row.mark(*end as usize, end.to_string());
    }
    Diagram::new(format!("{total} tokens: a box of {places}, or a row of {total}"))
        .row([Node::grid(Role::Plain, "padded", padded)
            .id("padded")
            .shape(format!("(3, {longest}, d)"))
            .rows(LENGTHS.map(|length| format!("{length} tokens")))])
        .row([row])
        .row([Node::note("cu_seqlens: where each sequence begins, and the end")])
        .arrow("padded", "packed")
        .alt(format!(
            "Sequences a, b and c of 2, 3 and 4 tokens. Padded they fill a grid of 3 by {longest} places, {} of them padding: two in \
             the row of a, one in the row of b. Packed they are one row of {total} tokens, a, b, c end to end, and below its borders \
             stands cu_seqlens: {}.",
            places - total,
            ends.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
        ))
        .draw()
        .map_err(Error::wrap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borders_are_those_of_cu_seqlens() -> Result<()> {
        let figure = padded_and_packed()?;
        assert!(figure.alt().contains("cu_seqlens: 0, 2, 5, 9"));
        assert_eq!(figure.svg().matches(">pad</text>").count(), 3);
        Ok(())
    }
}
