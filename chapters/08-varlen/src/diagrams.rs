//! The page's diagrams: the same sequences padded and packed, and the way from one to the other and back.

use crate::solution::{cu_seqlens, unpad};
use candle_core::{DType, Device, Error, Result, Tensor};
use figures::{Cell, Diagram, Figure, Node, Role};
use masking::solution::padding_mask;

const LENGTHS: [usize; 3] = [2, 3, 4];
const LONGEST: usize = 4;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// Sequences of 2, 3 and 4 tokens, padded to a box and packed into a row with `cu_seqlens` below its borders.
pub fn padded_and_packed() -> Result<Figure> {
    let token = |sequence: usize, at: usize| {
        let digit = ["₀", "₁", "₂", "₃"][at];
        Cell::new(Role::Sequence(sequence), format!("{}{digit}", NAMES[sequence])).strength(0.6)
    };
    let padded = LENGTHS.iter().enumerate().map(|(sequence, &length)| {
        let cell = |at| if at < length { token(sequence, at) } else { Cell::empty("pad") };
        (0..LONGEST).map(cell).collect::<Vec<_>>()
    });
    let tokens = |(sequence, &length): (usize, &usize)| {
        (0..length).map(|at| token(sequence, at)).collect::<Vec<_>>()
    };
    let packed: Vec<Cell> = LENGTHS.iter().enumerate().flat_map(tokens).collect();
    let (places, total) = (LENGTHS.len() * LONGEST, packed.len());
    let ends = cu_seqlens(&LENGTHS, &Device::Cpu)?.to_vec1::<u32>()?;
    let mut row =
        Node::grid(Role::Plain, "packed", [packed]).id("packed").shape(format!("({total}, d)"));
    for end in &ends {
        row = row.mark(*end as usize, end.to_string());
    }
    Diagram::new(format!("{total} tokens: a box of {places}, or a row of {total}"))
        .row([Node::grid(Role::Plain, "padded", padded)
            .id("padded")
            .shape(format!("(3, {LONGEST}, d)"))
            .rows(LENGTHS.map(|length| format!("{length} tokens")))
            .at(0.5)])
        .row([row])
        .row([Node::note("cu_seqlens: where each sequence begins, and the end")])
        .arrow("padded", "packed")
        .alt(format!(
            "Sequences a, b and c of 2, 3 and 4 tokens. Padded they fill a grid of 3 by {LONGEST} places, {} of them padding: two in \
             the row of a, one in the row of b. Packed they are one row of {total} tokens, a, b, c end to end, and below its borders \
             stands cu_seqlens: {}.",
            places - total,
            ends.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
        ))
        .draw()
        .map_err(Error::wrap)
}

/// What `unpad` reads and `pad` writes: the places of the real tokens, numbered row by row.
pub fn unpad_and_pad() -> Result<Figure> {
    let keep = padding_mask(&LENGTHS, LONGEST, &Device::Cpu)?.reshape((LENGTHS.len(), LONGEST))?;
    let x = Tensor::zeros((LENGTHS.len(), LONGEST, 1), DType::F32, &Device::Cpu)?;
    let indices: Vec<u32> = unpad(&x, &keep)?.indices.to_vec1()?;
    let place = |at: u32| match indices.contains(&at) {
        true => Cell::new(Role::Sequence(at as usize / LONGEST), at.to_string()).strength(0.6),
        false => Cell::empty(at.to_string()),
    };
    let row = |sequence: u32| (0..LONGEST as u32).map(move |at| sequence * LONGEST as u32 + at);
    let padded = (0..LENGTHS.len() as u32).map(|sequence| row(sequence).map(place));
    let said: Vec<String> = indices.iter().map(u32::to_string).collect();
    Diagram::new("Every place has a number")
        .row([Node::grid(Role::Plain, "padded", padded).id("padded").shape("(3, 4)").rows(NAMES).at(0.5)])
        .row([Node::step("unpad").at(0.4), Node::step("pad").at(0.6)])
        .row([Node::grid(Role::Plain, "indices", [indices.iter().copied().map(place)])
            .id("indices")
            .shape(format!("({})", indices.len()))
            .at(0.5)])
        .arrow("padded", "unpad")
        .arrow("unpad", "indices")
        .arrow("indices", "pad")
        .arrow("pad", "padded")
        .alt(format!(
            "Sequences a, b and c, padded to 3 rows of {LONGEST} places, which are numbered row by row from 0. An arrow down, unpad, \
             leads to one row with the places of the real tokens, the indices: {}. An arrow up, pad, leads from them back into the \
             grid.",
            said.join(", ")
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

    #[test]
    fn the_places_are_those_of_the_real_tokens() -> Result<()> {
        assert!(unpad_and_pad()?.alt().contains("the indices: 0, 1, 4, 5, 6, 8, 9, 10, 11."));
        Ok(())
    }
}
