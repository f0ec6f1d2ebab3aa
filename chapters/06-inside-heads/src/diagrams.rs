//! The page's diagram: what two heads in two layers do together.

use candle_core::{Error, Result};
use figures::{Diagram, Figure, Node, Role};

/// An induction head in two steps: a head of layer 0 notes what came before, a head of layer 1 looks for that note.
pub fn induction() -> Result<Figure> {
    let tokens = ["a", "b", "c", "d", "a"];
    let middle = |at: usize| 0.1 + 0.2 * at as f64;
    let token = |at: usize| {
        Node::tensor(Role::Plain, tokens[at])
            .id(format!("token {at}"))
            .shape(format!("at {at}"))
    };
    let noted = |at: usize| {
        let note = if at == 0 {
            "first".to_owned()
        } else {
            format!("after {}", tokens[at - 1])
        };
        Node::tensor(Role::Key, tokens[at])
            .id(format!("noted {at}"))
            .shape(note)
            .at(middle(at))
    };
    let mut diagram = Diagram::new("Two heads finish a pattern: a b c d a …")
        .row((0..tokens.len()).map(|at| token(at).at(middle(at))))
        .row((0..tokens.len()).map(noted))
        .row([Node::note("Layer 0: each token notes\nwhich one came before it.")
            .id("first")
            .at(0.6)])
        .row([
            Node::tensor(Role::Value, "hands over b").id("value").shape("its key: after a").at(0.3),
            Node::tensor(Role::Query, "who is after a?").id("query").shape("position 4").at(0.8),
        ])
        .row([Node::tensor(Role::Output, "b").id("next").shape("comes next").at(0.8)])
        .row([Node::note("Layer 1: the query of the last a finds the key\nthat says so, and the head hands over what is there.")
            .id("second")]);
    for at in 0..tokens.len() {
        diagram = diagram.arrow(format!("token {at}"), format!("noted {at}"));
        if at > 0 {
            diagram =
                diagram.slanted(format!("token {}", at - 1), format!("noted {at}"));
        }
    }
    diagram
        .arrow("noted 1", "value")
        .arrow("noted 4", "query")
        .arrow_with("query", "value", "match")
        .arrow("value", "next")
        .alt(
            "The tokens a, b, c, d, a at positions 0 to 4. Step one, a head in layer 0: an arrow leads from each token to the next \
             one, which notes what came before it: b after a, c after b, d after c, a after d. Step two, a head in layer 1: the query \
             of the last a, at position 4, asks who is after a. It matches the key of b, at position 1, which says after a, and b is \
             handed over: b comes next.",
        )
        .draw()
        .map_err(Error::wrap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_draws() -> Result<()> {
        assert!(induction()?.svg().contains(">after a</text>"));
        Ok(())
    }
}
