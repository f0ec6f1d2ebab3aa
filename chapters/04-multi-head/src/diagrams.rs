//! The page's diagram: what splitting and combining heads does to the numbers.

use crate::solution::{combine_heads, split_heads};
use candle_core::{Device, Error, IndexOp, Result, Tensor};
use figures::{Cell, Diagram, Figure, Node, Role};

const TOKENS: u32 = 3;
const DIM: u32 = 4;
const HEADS: usize = 2;

/// Three tokens of four numbers, split into two heads and combined again; below, what a reshape alone would do.
pub fn split_combine() -> Result<Figure> {
    let x = Tensor::arange(0, TOKENS * DIM, &Device::Cpu)?.reshape((1, 3, 4))?; // (batch, seq, dim)
    let heads = split_heads(&x, HEADS)?; // (batch, heads, seq, head_dim)
    let lie = x.reshape(heads.shape())?;
    let back = combine_heads(&heads)?;
    let head = |from: &Tensor, at: usize, id: &str| -> Result<Node> {
        Ok(cells(&format!("head {at}"), "(3, 2)", &from.i((0, at))?)?
            .id(format!("{id} {at}")))
    };
    Diagram::new("Split, attend, combine: rows stay tokens")
        .row([Node::note("Each number names its token, each colour its head.")])
        .row([cells("x", "(1, 3, 4)", &x.i(0)?)?.id("x").at(0.5)])
        .row([Node::step("split: reshape (1, 3, 2, 2), transpose").id("split")])
        .row([head(&heads, 0, "head")?.at(0.28), head(&heads, 1, "head")?.at(0.72)])
        .row([Node::step("attention").id("one").at(0.28), Node::step("attention").id("two").at(0.72)])
        .row([Node::step("combine: transpose, reshape (1, 3, 4)").id("combine")])
        .row([cells("output", "(1, 3, 4)", &back.i(0)?)?.id("output").at(0.5)])
        .row([head(&lie, 0, "lie")?.at(0.28), head(&lie, 1, "lie")?.at(0.72)])
        .group("For comparison, a reshape alone: tokens mix", ["lie 0", "lie 1"])
        .arrow("x", "split")
        .arrow("split", "head 0")
        .arrow("split", "head 1")
        .arrow("head 0", "one")
        .arrow("head 1", "two")
        .arrow("one", "combine")
        .arrow("two", "combine")
        .arrow("combine", "output")
        .alt(format!(
            "Three tokens, rows, with four numbers each, shape (1, 3, 4). Splitting cuts each row in halves: head 0 gets the left \
             halves, head 1 the right ones, each of shape (3, 2), and row i of either is still token i. Each head attends by itself. \
             Combining puts the halves side by side again. Below, a reshape alone: its head 0 has rows of tokens {}, so tokens mix.",
            tokens(&lie.i((0, 0))?)?
        ))
        .draw()
        .map_err(Error::wrap)
}

/// A matrix of places in x: each cell says which token it came from, and its colour for which head it is meant.
fn cells(name: &str, shape: &str, places: &Tensor) -> Result<Node> {
    let rows = places.to_vec2::<u32>()?;
    let cell = |place: &u32| {
        let head = (place % DIM) as usize * HEADS / DIM as usize;
        Cell::new(Role::Sequence(head), (place / DIM).to_string())
    };
    let cells = rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>());
    let grid = Node::grid(Role::Plain, name, cells).shape(shape);
    Ok(if places.dim(1)? == DIM as usize {
        grid.rows(["token 0", "token 1", "token 2"])
    } else {
        grid
    })
}

/// The tokens of each row.
fn tokens(places: &Tensor) -> Result<String> {
    let rows = places.to_vec2::<u32>()?;
    let row = |row: &Vec<u32>| format!("{} and {}", row[0] / DIM, row[1] / DIM);
    Ok(rows.iter().map(row).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reshape_alone_mixes_tokens() -> Result<()> {
        assert!(
            split_combine()?.alt().contains("rows of tokens 0 and 0, 0 and 0, 1 and 1")
        );
        Ok(())
    }
}
