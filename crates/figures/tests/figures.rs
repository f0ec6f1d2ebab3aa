//! What every figure keeps to, what each kind shows, and what bad input is told.

use figures::{Bars, Figure, FigureError, Heatmap, Lines, Vectors2d};

fn lines() -> Lines {
    Lines::new("Variance < d & more")
        .x("d")
        .y("variance")
        .line("measured", &[(8, 7.5), (16, 16.5), (32, 31.0)])
}

fn all() -> Vec<Figure> {
    let weights = [1.0f32, 0.0, 0.25, 0.75];
    let drawn = [
        lines().theory("d", &[(8, 8), (32, 32)]).log2_x().log_y().draw(),
        lines()
            .points("again", &[(8, 7)])
            .band("measured", &[(8, 6, 9), (32, 25, 40)])
            .small()
            .draw(),
        Bars::new("Bars").x("ms").bar("one", 1).bar("two", -2.5).draw(),
        Bars::new("Stacked").names(["a", "b"]).group("one", &[1.0, 2.0]).stacked().draw(),
        Bars::new("Groups").names(["a", "b"]).group("one", &[1.0, 2.0]).draw(),
        Heatmap::new("Weights", 2, 2, &weights).row_labels(["a", "\n"]).print_values(2).draw(),
        Heatmap::new("Mask", 2, 2, &[1u8, 0, 1, 1]).x("key").y("query").mask().draw(),
        Heatmap::grid("Heads", 2, 2, [("head 0", weights), ("head 1", [f32::NAN; 4])]).draw(),
        Vectors2d::new("Vectors").vector("q", [1, 2]).vector("k", [-1, 0]).angle("q", "k").draw(),
    ];
    drawn.into_iter().map(|figure| figure.expect("good input")).collect()
}

/// The values of one attribute, in order.
fn attributes<'a>(svg: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    svg.split(start.as_str())
        .skip(1)
        .map(|rest| rest.split('"').next().expect("a closed attribute"))
        .collect()
}

#[test]
fn every_figure_can_stand_in_a_page() {
    for figure in all() {
        let svg = figure.svg();
        let root = svg.lines().next().expect("a first line");
        assert!(root.starts_with("<svg ") && root.ends_with('>'), "{root}");
        for part in ["viewBox=\"0 0 ", "role=\"img\"", "max-width:100%"] {
            assert!(root.contains(part), "{part} in {root}");
        }
        let rect = svg.find("<rect").expect("the paper");
        assert!(svg[rect..].contains("fill=\"#ffffff\""));
        assert!(svg.ends_with("</svg>"));
        assert!(!svg.contains(" id=") && !svg.contains("font-family=\"sans-serif\" opacity"));
        assert!(svg.lines().all(|line| !line.trim().is_empty()), "a blank line in {svg}");
        assert!(!svg.contains("NaN\""), "a coordinate that is no number");
        assert!(svg.len() < 20_000);
    }
}

#[test]
fn the_text_alternative_is_the_title_and_is_escaped() {
    let figure = lines().draw().expect("good input");
    assert!(figure.svg().contains("<title>Variance &lt; d &amp; more. Line chart."));
    assert!(figure.alt().starts_with("Variance < d & more."));
    let figure = lines().alt("A straight\n\nline.").draw().expect("good input");
    assert_eq!(figure.alt(), "A straight line.");
    assert!(figure.svg().contains("<title>A straight line.</title>"));
}

#[test]
fn text_is_large_enough_for_a_phone() {
    for figure in all() {
        for size in attributes(figure.svg(), "font-size") {
            // Elements are drawn four times as large and scaled.
            let size: f64 = size.parse().expect("a number");
            assert!(size >= 4.0 * 14.0, "font size {size} in {}", figure.alt());
        }
    }
}

#[test]
fn colours_are_written_in_lower_case_for_the_themes() {
    for figure in all() {
        for name in ["fill", "stroke"] {
            for colour in attributes(figure.svg(), name) {
                assert_eq!(colour, colour.to_lowercase());
            }
        }
        assert!(figure.svg().contains("fill=\"#1f2328\""));
    }
}

#[test]
fn the_same_numbers_give_the_same_picture() {
    assert_eq!(all(), all());
}

#[test]
fn a_saved_figure_is_the_svg() {
    let path = std::env::temp_dir().join(format!("figures-test-{}.svg", std::process::id()));
    let figure = lines().draw().expect("good input");
    figure.save(&path).expect("a writable temporary folder");
    let read = std::fs::read_to_string(&path).expect("the file");
    std::fs::remove_file(&path).expect("the file");
    assert_eq!(read.trim_end(), figure.svg());
}

#[test]
fn theory_is_dashed_and_measurements_are_not() {
    let strokes = |figure: Figure, colour: &str| {
        let is = |line: &&str| line.starts_with("<polyline") && line.contains(colour);
        figure.svg().lines().filter(is).count()
    };
    let drawn = |lines: Lines| lines.draw().expect("good input");
    let both = || drawn(lines().theory("d", &[(8, 8), (32, 32)]));
    // Axes and ticks are ink, too.
    let dashes = strokes(both(), "#1f2328") - strokes(drawn(lines()), "#1f2328");
    assert!(dashes > 10, "{dashes} dashes");
    // The line and its sample beside its end.
    assert_eq!(strokes(both(), "#0072b2"), 2);
}

#[test]
fn a_long_series_stays_small_and_keeps_its_spikes() {
    let noisy = |spike: f64| -> Vec<(usize, f64)> {
        (0..20_000).map(|i| (i, if i == 7_777 { spike } else { (i % 17) as f64 })).collect()
    };
    let figure = Lines::new("Loss").line("loss", &noisy(40.0)).draw().expect("good input");
    assert!(figure.svg().len() < 40_000, "{} bytes", figure.svg().len());
    let flat = Lines::new("Loss").line("loss", &noisy(0.0)).y_range(0, 40).draw();
    let line = |figure: &Figure| {
        let points = attributes(figure.svg(), "points");
        points.into_iter().max_by_key(|points| points.len()).map(str::to_string)
    };
    assert_ne!(line(&figure), line(&flat.expect("good input")));
}

#[test]
fn a_heatmap_draws_each_cell_and_prints_each_value() {
    let values: Vec<f32> = (0..12).map(|i| i as f32 / 11.0).collect();
    let figure = Heatmap::new("Cells", 3, 4, &values).print_values(2).draw().expect("good input");
    let svg = figure.svg();
    let cells = attributes(svg, "d").iter().take(12).map(|d| d.matches('h').count()).sum::<usize>();
    assert_eq!(cells, 12);
    for value in &values {
        assert!(svg.contains(&format!(">{value:.2}</text>")), "{value} is missing");
    }
}

#[test]
fn a_mask_shows_signs_besides_colours() {
    let figure = Heatmap::new("Mask", 2, 2, &[true, false, true, true]).mask().draw();
    let svg = figure.expect("good input").svg().to_string();
    let paths = attributes(&svg, "d");
    // Two colours, dots, crosses; then the same four for the legend.
    assert_eq!(paths.len(), 8);
    assert_eq!(paths[2].matches("h0").count(), 3);
    assert_eq!(paths[3].matches('M').count(), 1);
    assert!(svg.contains(">may attend</text>") && svg.contains(">may not</text>"));
}

#[test]
fn values_that_are_not_finite_are_named_and_leave_the_scale_alone() {
    let values = [0.25, f64::NAN, f64::NEG_INFINITY, 0.75];
    let figure = Heatmap::new("Odd", 2, 2, &values).draw().expect("good input");
    for text in ["NaN", "−∞", "0.25", "0.75"] {
        assert!(figure.svg().contains(&format!(">{text}</text>")), "{text} is missing");
    }
    let nothing = Heatmap::new("Nothing", 1, 2, &[f64::NAN, f64::NAN]).draw();
    assert_eq!(nothing.expect("good input").svg().matches(">NaN</text>").count(), 2);
    let small = [f64::NAN; 32 * 32];
    let small = Heatmap::new("Small", 32, 32, &small).draw().expect("good input");
    // Cells too small for text are hatched, and the legend says so.
    assert_eq!(small.svg().matches(">NaN</text>").count(), 1);
}

#[test]
fn a_large_heatmap_stays_small() {
    let causal: Vec<f32> = (0..64 * 64)
        .map(|i| if i % 64 > i / 64 { 0.0 } else { (i * 7919 % 97) as f32 / 97.0 })
        .collect();
    let figure = Heatmap::new("Causal", 64, 64, &causal).draw().expect("good input");
    assert!(figure.svg().len() < 50_000, "{} bytes", figure.svg().len());
}

#[test]
fn extreme_numbers_do_no_harm() {
    for value in [1e-300, 1e-12, 1e12, 1e99, -1e99] {
        let lines = Lines::new("T").line("a", &[(0.0, 0.0), (1.0, value)]);
        assert!(
            lines.draw().is_ok() && Lines::new("T").line("a", &[(value, value)]).draw().is_ok()
        );
        let vectors = Vectors2d::new("T").vector("a", [value, 1.0]).vector("b", [0.0, value]);
        assert!(vectors.draw().is_ok());
        assert!(
            Bars::new("T").bar("a", value).bar("b", f64::MAX).bar("c", f64::MIN).draw().is_ok()
        );
        assert!(Heatmap::new("T", 1, 2, &[value, f64::from(f32::MIN)]).draw().is_ok());
    }
    assert!(Lines::new("T").line("a", &[(0.0, f64::MAX)]).draw().is_err());
    let long = "a very long name that nobody should write ".repeat(9);
    let map = Heatmap::new(&long, 1, 2, &[0, 1]).x(&long).y(&long).row_labels([&long]);
    assert!(map.col_labels([&long, ""]).draw().is_ok());
    assert!(Lines::new("").x(&long).y(&long).line(&long, &[(1, 1)]).small().draw().is_ok());
}

#[test]
fn an_angle_is_the_shorter_one() {
    let figure = Vectors2d::new("Turn")
        .vector("a", [-1.0, 0.1])
        .vector("b (behind)", [-1.0, -0.1])
        .angle("a", "b")
        .draw()
        .expect("good input");
    assert!(figure.svg().contains(">11°</text>"));
}

#[test]
fn stacked_bars_lie_end_to_end() {
    let figure = Bars::new("T").names(["a", "b"]).group("", &[1, 3]).stacked().draw();
    let figure = figure.expect("good input");
    let numbers = |name| -> Vec<f64> {
        attributes(figure.svg(), name).iter().filter_map(|number| number.parse().ok()).collect()
    };
    // The last two rectangles: after the paper and the legend.
    let (x, width) = (numbers("x"), numbers("width"));
    let rects = figure.svg().lines().filter(|line| line.starts_with("<rect x=")).count();
    assert_eq!(rects, 4);
    let (first, second) = (width[width.len() - 2], width[width.len() - 1]);
    assert!((second / first - 3.0).abs() < 0.02, "{first} {second}");
    let at: Vec<f64> = figure
        .svg()
        .lines()
        .filter(|line| line.starts_with("<rect x="))
        .map(|line| attributes(line, "x")[0].parse().expect("a number"))
        .collect();
    assert!((at[2] + first - at[3]).abs() <= 1.0, "{at:?} {x:?}");
}

#[test]
fn bad_input_is_told_what_was_expected_and_what_came() {
    let cases: Vec<(Result<Figure, FigureError>, &[&str])> = vec![
        (Lines::new("T").draw(), &["\"T\"", "at least one line", "none"]),
        (
            Lines::new("T").line::<f64, f64>("a", &[]).draw(),
            &["series \"a\"", "at least one point"],
        ),
        (Lines::new("T").line("a", &[(1.0, f64::NAN)]).draw(), &["finite", "(1, NaN)"]),
        (Lines::new("T").log_y().line("a", &[(1, 0)]).draw(), &["y > 0", "logarithmic", "(1, 0)"]),
        (Lines::new("T").log2_x().line("a", &[(-1, 1)]).draw(), &["x > 0", "(-1, 1)"]),
        (Lines::new("T").line("a", &[(2, 0), (1, 0)]).draw(), &["ascending"]),
        (lines().band("a", &[(1, 3, 2)]).draw(), &["band \"a\"", "low ≤ high", "(1, 3, 2)"]),
        (lines().y_range(1, 1).draw(), &["y_range", "low < high", "1 and 1"]),
        (Bars::new("T").draw(), &["at least one", "none"]),
        (Bars::new("T").bar("a", -1).stacked().draw(), &["bar \"a\"", "at least 0", "-1"]),
        (Bars::new("T").bar("a", f64::INFINITY).draw(), &["bar \"a\"", "finite", "inf"]),
        (Bars::new("T").names(["a", "b"]).group("g", &[1]).draw(), &["2 values", "got 1"]),
        (Heatmap::new("T", 2, 2, &[1.0]).draw(), &["2 × 2 = 4 values", "got 1"]),
        (Heatmap::new::<f32>("T", 0, 2, &[]).draw(), &["1 to 128", "0 × 2"]),
        (
            Heatmap::new("T", 1, 2, &[1, 0]).row_labels(["a", "b"]).draw(),
            &["row labels", "1,", "got 2"],
        ),
        (Heatmap::new("T", 1, 2, &[1.0, 0.5]).mask().draw(), &["0 or 1", "got 0.5"]),
        (Heatmap::new("T", 1, 1, &[1]).range(1, 0).draw(), &["range", "low < high", "1 and 0"]),
        (
            Heatmap::new("T", 1, 40, &[0.5; 40]).print_values(2).draw(),
            &["print_values", "\"0.50\""],
        ),
        (Heatmap::grid("T", 1, 1, Vec::<(String, Vec<f32>)>::new()).draw(), &["panels", "none"]),
        (Vectors2d::new("T").draw(), &["1 to 8", "got 0"]),
        (Vectors2d::new("T").vector("a", [0, 0]).draw(), &["not zero"]),
        (Vectors2d::new("T").vector("a", [f32::NAN, 0.0]).draw(), &["vector \"a\"", "finite"]),
        (Vectors2d::new("T").vector("a", [1, 0]).angle("a", "z").draw(), &["[\"a\"]", "got \"z\""]),
    ];
    for (result, parts) in cases {
        let message = result.expect_err("bad input").to_string();
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    }
}
