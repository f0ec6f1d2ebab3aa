//! The figures of the page.

use crate::induction::{
    Run, Snapshot,
    data::{PERIOD, chance, one_of_the_lengths},
    probe::{name, one_sequence},
};
use candle_core::{Result, Tensor};
use figures::{Bars, Figure, FigureError, Heatmap, Lines};

/// The loss in both blocks against the step.
pub fn losses(title: &str, run: &Run) -> Result<Figure> {
    let line = |half: fn(&Snapshot) -> f32| -> Vec<_> {
        run.snapshots().iter().map(|at| (at.step, half(at))).collect()
    };
    let steps = run.after().step;
    let figure =
        Lines::new(title).x("training step").y("loss, nats per token").y_range(0, 4);
    let figure = figure
        .line("first block", &line(Snapshot::first_half))
        .line("second block", &line(Snapshot::second_half));
    drawn(figure.theory("chance", &[(0, chance()), (steps.max(1), chance())]).draw())
}

/// The loss on each token, one line per snapshot, and what a guess at the length of the block costs.
pub fn by_position(title: &str, snapshots: &[(&str, &Snapshot)]) -> Result<Figure> {
    let mut figure = Lines::new(title)
        .x("position of the predicted token")
        .y("loss, nats per token");
    for (name, snapshot) in snapshots {
        let points: Vec<_> = snapshot
            .by_position
            .iter()
            .enumerate()
            .map(|(at, &loss)| (at + 1, loss))
            .collect();
        figure = figure.line(*name, &points);
    }
    let guess = [PERIOD + 1, 2 * PERIOD - 1].map(|at| (at, one_of_the_lengths()));
    drawn(figure.y_range(0, 4).theory("a guess at the length", &guess).draw())
}

/// Each head's score against the step: previous-token in the first layer, induction in the last.
pub fn scores(title: &str, run: &Run) -> Result<Figure> {
    let mut figure = Lines::new(title).x("training step").y("score").y_range(0, 1);
    let last = run.model.layers().saturating_sub(1);
    for (layer, head) in run.model.heads() {
        if layer == 0 {
            let points: Vec<_> = run
                .snapshots()
                .iter()
                .map(|at| (at.step, at.previous[layer][head]))
                .collect();
            figure = figure
                .line(format!("{}, previous token", name((layer, head))), &points);
        }
        if layer == last {
            let points: Vec<_> = run
                .snapshots()
                .iter()
                .map(|at| (at.step, at.induction[layer][head]))
                .collect();
            figure =
                figure.line(format!("{}, induction", name((layer, head))), &points);
        }
    }
    drawn(figure.draw())
}

/// A measure of each head against the step, such as [`Snapshot::entropy`].
pub fn over_training(
    title: &str,
    measure: &str,
    run: &Run,
    of: impl Fn(&Snapshot) -> &Vec<Vec<f32>>,
) -> Result<Figure> {
    let figure = Lines::new(title).x("training step").y(measure);
    let line = |figure: Lines, (layer, head): (usize, usize)| {
        let points: Vec<_> =
            run.snapshots().iter().map(|at| (at.step, of(at)[layer][head])).collect();
        figure.line(name((layer, head)), &points)
    };
    drawn(run.model.heads().into_iter().fold(figure, line).draw())
}

/// The loss in the second block, one bar for each thing that was switched off.
pub fn ablations(title: &str, losses: &[(String, f32)]) -> Result<Figure> {
    let figure =
        Bars::new(title).x("loss in the second block, nats per token").decimals(2);
    drawn(
        losses
            .iter()
            .fold(figure, |figure, (name, loss)| figure.bar(name, *loss))
            .draw(),
    )
}

/// What every head of a trained model looks at in one sequence.
pub fn maps(title: &str, run: &Run) -> Result<Figure> {
    let (maps, tokens) = one_sequence(&run.model)?;
    let panel = |(name, map): (String, Tensor)| {
        Ok((name, map.flatten_all()?.to_vec1::<f32>()?))
    };
    let panels = maps.into_iter().map(panel).collect::<Result<Vec<_>>>()?;
    let labels = tokens.iter().map(u32::to_string);
    let figure = Heatmap::grid(title, tokens.len(), tokens.len(), panels).range(0, 1);
    drawn(
        figure
            .row_labels(labels.clone())
            .col_labels(labels)
            .x("key token")
            .y("query token")
            .draw(),
    )
}

/// How far apart any two heads look: `distances` `(n, n)`, one name per head.
pub fn diversity(title: &str, distances: &Tensor, names: &[String]) -> Result<Figure> {
    let values = distances.flatten_all()?.to_vec1::<f32>()?;
    let figure = Heatmap::new(title, names.len(), names.len(), &values).range(0, 1);
    drawn(figure.row_labels(names).col_labels(names).print_values(2).draw())
}

fn drawn(figure: std::result::Result<Figure, FigureError>) -> Result<Figure> {
    figure.map_err(candle_core::Error::wrap)
}
