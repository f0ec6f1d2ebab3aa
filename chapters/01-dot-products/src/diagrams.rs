//! The page's diagram: attention as data flow, with the numbers of the five films. In weeks 2 and 3 it grows.

use crate::solution::{naive_softmax, scores, weighted_average};
use candle_core::{Device, Error, Result, Tensor};
use figures::{Cell, Diagram, Figure, Node, Role};

/// The three friends who have seen the sixth film.
pub const FRIENDS: [&str; 3] = ["Ana", "Ben", "Cid"];

/// Your taste in five films, your friends' and their stars for a sixth: query `(1, 5)`, key `(3, 5)`, value `(3, 1)`.
pub fn films() -> Result<[Tensor; 3]> {
    let query = Tensor::new(&[[1f32, 1., -1., 0., 1.]], &Device::Cpu)?;
    let key = [[1f32, 0., -1., 1., 0.], [0., 1., 1., 0., 1.], [-1., -1., 0., 1., 1.]];
    let value = Tensor::new(&[[5f32], [3.], [1.]], &Device::Cpu)?;
    Ok([query, Tensor::new(&key, &Device::Cpu)?, value])
}

/// What happens to the scores before the softmax.
pub struct Stage {
    /// What is done.
    pub step: &'static str,
    /// What it takes besides the scores, `(1, 3)`: a mask.
    pub mask: Option<Tensor>,
    /// The name of the scores that it leaves.
    pub name: &'static str,
    /// These scores, `(1, 3)`.
    pub scores: Tensor,
}

/// Attention from query, keys and values to the output, every number in it computed from [`films`].
pub fn attention() -> Result<Figure> {
    flow("Attention: whose stars count?", &[])
}

/// The same with `stages` between the scores and the softmax. Errors when scores are not `(1, 3)`.
pub fn flow(title: &str, stages: &[Stage]) -> Result<Figure> {
    let [query, key, value] = films()?;
    let mut last = scores(&query, &key)?; // (1, 3)
    let mut diagram = Diagram::new(title)
        .row([
            matrix("Q", "your taste (1, 5)", Role::Query, &query)?.id("Q").at(LEFT),
            matrix("K", "their tastes (3, 5)", Role::Key, &key)?.id("K").rows(FRIENDS).at(RIGHT),
        ])
        .row([Node::step("Q · Kᵀ").at(LEFT)])
        .row([friends("scores", Role::Scores, &last)?])
        .arrow("Q", "Q · Kᵀ")
        .arrow("K", "Q · Kᵀ")
        .arrow("Q · Kᵀ", "scores");
    let stop = if title.ends_with('?') { "" } else { "." };
    let mut alt = format!(
        "{title}{stop} Data flow from top to bottom. The query Q, shape (1, 5), times the keys K, shape (3, 5), gives the scores: {}.",
        said(&last)?
    );
    let mut name = "scores";
    for stage in stages {
        last = stage.scores.clone();
        diagram = match &stage.mask {
            None => diagram.arrow_with(name, stage.name, stage.step),
            Some(mask) => diagram
                .row([
                    Node::step(stage.step).at(LEFT),
                    friends("mask", Role::Mask, mask)?.at(RIGHT),
                ])
                .arrow(name, stage.step)
                .arrow("mask", stage.step)
                .arrow(stage.step, stage.name),
        }
        .row([friends(stage.name, Role::Scores, &last)?]);
        name = stage.name;
        alt += &match &stage.mask {
            None => format!(" Then {}: {}.", stage.step, said(&last)?),
            Some(mask) => format!(" The mask ({}) enters here: {}.", said(mask)?, said(&last)?),
        };
    }
    let weights = naive_softmax(&last)?; // (1, 3)
    let output = weighted_average(&weights, &value)?; // (1, 1)
    alt += &format!(
        " The softmax makes them weights: {}. The weights times the values V, the stars {}, give the output, {} stars.",
        said(&weights)?,
        said(&value.t()?)?,
        number(output.to_vec2::<f32>()?[0][0])
    );
    let weighted = friends("weights", Role::Weights, &weights)?;
    let stars = matrix("V", "stars (3, 1)", Role::Value, &value)?.id("V").rows(FRIENDS).at(RIGHT);
    let output = matrix("output", "(1, 1)", Role::Output, &output)?.id("output").at(LEFT);
    diagram
        .row([weighted, stars])
        .row([Node::step("weights · V").at(LEFT)])
        .row([output])
        .arrow_with(name, "weights", "softmax")
        .arrow("weights", "weights · V")
        .arrow("V", "weights · V")
        .arrow("weights · V", "output")
        .alt(alt)
        .draw()
        .map_err(Error::wrap)
}

/// Where what flows stands, and what enters from the right.
const LEFT: f64 = 0.3;
const RIGHT: f64 = 0.74;

/// One number for each friend.
fn friends(name: &str, role: Role, numbers: &Tensor) -> Result<Node> {
    Ok(matrix(name, "(1, 3)", role, numbers)?.id(name).columns(FRIENDS).at(LEFT))
}

fn matrix(name: &str, shape: &str, role: Role, numbers: &Tensor) -> Result<Node> {
    let rows = numbers.to_vec2::<f32>()?;
    let cell = |value: &f32| match role {
        Role::Weights => Cell::new(role, number(*value)).strength(f64::from(*value)),
        _ => Cell::new(role, number(*value)),
    };
    Ok(Node::grid(role, name, rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>()))
        .shape(shape))
}

/// The one row's numbers by friend.
fn said(numbers: &Tensor) -> Result<String> {
    let row = numbers.to_vec2::<f32>()?.concat();
    let named: Vec<String> = FRIENDS
        .iter()
        .zip(row)
        .map(|(friend, value)| format!("{friend} {}", number(value)))
        .collect();
    Ok(named.join(", "))
}

/// Whole numbers without decimals, others with two.
fn number(value: f32) -> String {
    let text = match value {
        value if value.is_infinite() => if value < 0. { "-∞" } else { "∞" }.to_owned(),
        value if value.fract() == 0. => format!("{value}"),
        value => format!("{value:.2}"),
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_the_numbers_of_the_page() -> Result<()> {
        let figure = attention()?;
        for number in ["0.71", "0.26", "0.04", "4.34", "−1"] {
            assert!(figure.svg().contains(&format!(">{number}</text>")), "{number}");
        }
        assert!(
            figure.alt().contains("Ana 2, Ben 1, Cid −1") && figure.alt().contains("4.34 stars")
        );
        Ok(())
    }
}
