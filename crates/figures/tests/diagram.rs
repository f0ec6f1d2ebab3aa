//! What every diagram keeps to, and what bad input is told.

use figures::{Cell, Diagram, Figure, Node, Role};

fn scores() -> Diagram {
    Diagram::new("Scores & <shapes>")
        .row([
            Node::tensor(Role::Query, "Q").shape("(1, 5)"),
            Node::tensor(Role::Key, "K").shape("(3, 5)"),
            Node::tensor(Role::Value, "V").shape("(3, 1)"),
        ])
        .row([Node::step("Q · Kᵀ").at(0.4)])
        .row([
            Node::grid(
                Role::Weights,
                "weights",
                [["0.71", "0.04"].map(|w| Cell::new(Role::Weights, w))],
            )
            .columns(["a", "b"])
            .rows(["q"])
            .mark(0, "0")
            .mark(2, "2"),
            Node::step("× V").at(0.8),
        ])
        .arrow("Q", "Q · Kᵀ")
        .arrow("K", "Q · Kᵀ")
        .arrow_with("Q · Kᵀ", "weights", "softmax")
        .arrow("V", "× V")
        .arrow("weights", "× V")
        .group("one head", ["Q · Kᵀ"])
}

fn drawn(diagram: Diagram) -> Figure {
    diagram.draw().expect("good input")
}

/// The values of one attribute as numbers, in order.
fn numbers(svg: &str, name: &str) -> Vec<f64> {
    let start = format!(" {name}=\"");
    let values = svg.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next());
    values.map(|value| value.parse().expect("a number")).collect()
}

#[test]
fn a_diagram_can_stand_in_a_page_and_on_a_phone() {
    let figure = drawn(scores());
    let svg = figure.svg();
    let root = svg.lines().next().expect("a first line");
    for part in ["viewBox=\"0 0 470 ", "role=\"img\"", "max-width:100%"] {
        assert!(root.contains(part), "{part} in {root}");
    }
    assert!(!svg.contains(" id=") && svg.lines().all(|line| !line.trim().is_empty()));
    // A phone of 390 pixels leaves a figure 345 of them.
    for size in numbers(svg, "font-size") {
        assert!(size * 345.0 / 470.0 >= 10.0, "{size}");
    }
    assert_eq!(figure, drawn(scores()));
}

#[test]
fn text_stays_on_the_sheet() {
    let figure = drawn(scores());
    let height: f64 = figure
        .svg()
        .split("viewBox=\"0 0 470 ")
        .nth(1)
        .expect("a size")
        .split('"')
        .next()
        .expect("a size")
        .parse()
        .expect("a number");
    let texts = figure.svg().lines().filter(|line| line.starts_with("<text"));
    for line in texts {
        let (x, y) = (numbers(line, "x")[0], numbers(line, "y")[0]);
        assert!((0.0..=470.0).contains(&x) && (0.0..=height - 7.0).contains(&y), "{line}");
    }
}

#[test]
fn shapes_are_labels_and_roles_are_colours() {
    let figure = drawn(scores());
    for text in
        [">Q</text>", ">(1, 5)</text>", ">0.71</text>", ">softmax</text>", ">one head</text>"]
    {
        assert!(figure.svg().contains(text), "{text}");
    }
    assert!(
        figure.svg().contains("stroke=\"#0072b2\"") && figure.svg().contains("stroke=\"#8568c8\"")
    );
}

#[test]
fn the_text_alternative_lists_what_is_seen_or_is_given() {
    let alt = drawn(scores()).alt().to_owned();
    assert!(alt.starts_with("Scores & <shapes>. Diagram, from top to bottom: Q (1, 5); K (3, 5)"));
    assert!(alt.contains("weights: 0.71 0.04") && alt.contains("Q · Kᵀ to weights"), "{alt}");
    assert_eq!(drawn(scores().alt("Seen.")).alt(), "Seen.");
}

#[test]
fn bad_input_is_told_what_was_expected_and_what_came() {
    let wide = "a name much too long to stand beside another one like it";
    let cases: Vec<(Diagram, &[&str])> = vec![
        (Diagram::new("T"), &["\"T\"", "at least one", "none"]),
        (Diagram::new("T").row([Node::step("a"), Node::step("a")]), &["names that differ", "a"]),
        (Diagram::new("T").row([Node::step(wide), Node::step("b")]), &["node", "a place"]),
        (
            Diagram::new("T").row([Node::step("a").at(0.5), Node::step("b").at(0.52)]),
            &["\"b\"", "a place"],
        ),
        (Diagram::new("T").row([Node::step("a")]).arrow("a", "z"), &["arrow", "[\"a\"]", "\"z\""]),
        (
            Diagram::new("T")
                .row([Node::step("a")])
                .row([Node::step("b")])
                .row([Node::step("c")])
                .arrow("a", "c"),
            &["from \"a\" to \"c\"", "past", "\"b\""],
        ),
        (Diagram::new("T").row([Node::step("a")]).group("g", ["z"]), &["group \"g\"", "\"z\""]),
        (
            Diagram::new("T")
                .row([Node::step("a"), Node::step("b"), Node::step("c")])
                .group("g", ["a", "c"]),
            &["only its nodes", "\"b\""],
        ),
        (
            Diagram::new("T").row([Node::grid(Role::Plain, "g", [vec![Cell::empty("")], vec![]])]),
            &["grid \"g\"", "rows of as many cells"],
        ),
        (
            Diagram::new("T")
                .row([Node::grid(Role::Plain, "g", [[Cell::empty("")]]).rows(["a", "b"])]),
            &["grid \"g\"", "a label for each"],
        ),
    ];
    for (diagram, parts) in cases {
        let message = diagram.draw().expect_err("bad input").to_string();
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    }
}
