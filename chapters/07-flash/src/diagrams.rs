//! The page's diagrams: which tiles are visited, and what is carried from one to the next.

use crate::{
    solution::{finish, merge, tile_attention, tiles_to_visit},
    tiles::Partial,
};
use candle_core::{Device, Error, Result, Tensor};
use figures::{Cell, Diagram, Figure, Node, Role};

const BLOCKS: usize = 4;
const BLOCK: usize = 64;

/// Causal attention over 256 tokens in tiles of 64 by 64: the order of the visits, and what is in the cache.
pub fn tiles() -> Result<Figure> {
    let seq = BLOCKS * BLOCK;
    let mut visited = 0;
    let mut rows = vec![];
    for block in 0..BLOCKS {
        let (visit, whole) = tiles_to_visit(block * BLOCK..(block + 1) * BLOCK, seq, seq, BLOCK)?;
        let cell = |tile: usize| match tile {
            tile if tile >= visit => Cell::empty("skip"),
            tile => {
                let strength = if tile < whole { 0.35 } else { 0.9 };
                Cell::new(Role::Scores, (visited + tile + 1).to_string()).strength(strength)
            }
        };
        rows.push((0..BLOCKS).map(cell).collect::<Vec<_>>());
        visited += visit;
    }
    let names = |of: &str| ["₀", "₁", "₂", "₃"].map(|at| format!("{of}{at}"));
    let columns = [0.135, 0.38, 0.62, 0.85];
    let whole = |role: Role, name: &str, at: usize| {
        Node::tensor(role, name).shape("(256, d)").at(columns[at])
    };
    let block = |role: Role, name: &str, at: usize| {
        Node::tensor(role, name).shape("(64, d)").at(columns[at])
    };
    Diagram::new("Tile by tile: never all scores at once")
        .row([
            whole(Role::Query, "Q", 0),
            whole(Role::Key, "K", 1),
            whole(Role::Value, "V", 2),
            whole(Role::Output, "O", 3),
        ])
        .row([
            block(Role::Query, "Qᵢ", 0),
            block(Role::Key, "Kⱼ", 1),
            block(Role::Value, "Vⱼ", 2),
            Node::tensor(Role::Output, "m, l, a").shape("(64, d + 2)").at(columns[3]),
        ])
        .row([Node::grid(Role::Scores, "tiles of S", rows)
            .id("S")
            .shape("as they are visited")
            .rows(names("Q"))
            .columns(names("K"))
            .at(0.5)])
        .group("in memory", ["Q", "K", "V", "O"])
        .group("in the cache", ["Qᵢ", "Kⱼ", "Vⱼ", "m, l, a"])
        .arrow("Q", "Qᵢ")
        .arrow("K", "Kⱼ")
        .arrow("V", "Vⱼ")
        .arrow("Qᵢ", "S")
        .arrow("Kⱼ", "S")
        .elbow("S", "m, l, a")
        .arrow("Vⱼ", "m, l, a")
        .arrow_with("m, l, a", "O", "a / l")
        .alt(format!(
            "At the top, in memory: Q, K, V and the output O, each (256, d). Below, what the cache holds for one tile of 64 by 64: a block \
             of Q, a block of K, a block of V, and the running state m, l, a of 64 queries. At the bottom the matrix of scores as four by \
             four tiles. The blocks of Q and K give one tile, the tile and the block of V change the state, and when a row of tiles is \
             done, a / l goes to memory as a block of O. The tiles are numbered 1 to {visited} as they are visited, row by row: one in the \
             first row, two in the second, up to four. Those on the diagonal are stronger, they need the causal mask; those above it \
             are skipped."
        ))
        .draw()
        .map_err(Error::wrap)
}

/// One query over six keys in three tiles, with what is known after each; every number is computed.
pub fn running_state() -> Result<Figure> {
    let (scores, values) = ([[1f32, 2.], [4., 1.], [3., 3.]], [[8f32, 6.], [2., 4.], [0., 5.]]);
    let column = |numbers: [f32; 2]| Tensor::new(&numbers, &Device::Cpu)?.reshape((2, 1));
    let query = Tensor::ones((1, 1), candle_core::DType::F32, &Device::Cpu)?; // so that q·k is the key
    let mut state = Partial::empty(&query, &column(values[0])?)?;
    let mut diagram = Diagram::new("The running state: three tiles, one query");
    let mut alt = "One query meets six keys in three tiles.".to_owned();
    for (at, (&scores, &values)) in (1..).zip(scores.iter().zip(&values)) {
        let tile = tile_attention(&query, &column(scores)?, &column(values)?, 1., None)?;
        let before = state.m.clone();
        state = merge(&state, &tile)?;
        let known = numbers(&state)?;
        let (was, now) = (format!("state {}", at - 1), format!("state {at}"));
        let cells =
            |role: Role, of: [f32; 2]| of.map(|number| Cell::new(role, format!("{number}")));
        let names = ["m", "l", "a"];
        diagram = diagram
            .row([
                Node::grid(
                    Role::Scores,
                    format!("tile {at}"),
                    [cells(Role::Scores, scores), cells(Role::Value, values)],
                )
                .rows(["scores", "values"])
                .at(0.24),
                Node::grid(
                    Role::Output,
                    format!("after {at}"),
                    [known.clone().map(|number| Cell::new(Role::Output, number))],
                )
                .id(now.as_str())
                .columns(names)
                .at(0.75),
            ])
            .arrow_with(format!("tile {at}"), now.as_str(), "merge");
        if at > 1 {
            let factor = (before - &state.m)?.exp()?.to_vec2::<f32>()?[0][0];
            diagram = diagram.arrow_with(was, now, format!("l, a × {factor:.2}"));
            alt += &format!(" What was known is multiplied by {factor:.2}.");
        }
        alt += &format!(
            " Tile {at}, scores {} and {}, values {} and {}: m {}, l {}, a {}.",
            scores[0], scores[1], values[0], values[1], known[0], known[1], known[2]
        );
    }
    let output = finish(&state)?.0.to_vec2::<f32>()?[0][0];
    diagram
        .row([Node::tensor(Role::Output, "output").shape(format!("a / l = {output:.2}")).at(0.75)])
        .arrow("state 3", "output")
        .alt(alt + &format!(" The output is a / l = {output:.2}."))
        .draw()
        .map_err(Error::wrap)
}

/// m, l and a of one query with one value each.
fn numbers(state: &Partial) -> Result<[String; 3]> {
    let one = |tensor: &Tensor| Ok::<_, Error>(tensor.to_vec2::<f32>()?[0][0]);
    Ok([
        format!("{}", one(&state.m)?),
        format!("{:.2}", one(&state.l)?),
        format!("{:.2}", one(&state.acc)?),
    ])
}
