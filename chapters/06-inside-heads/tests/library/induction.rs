//! The induction lab's whole story, in half its steps.

use candle_core::Result;
use inside_heads::induction::{
    Run,
    model::Head,
    probe::{Instead, ablated_loss},
    train,
};
use std::thread;

/// Models of one and of two layers, trained at the same time.
fn trained() -> Result<[Run; 2]> {
    let train = |layers| move || train(layers, 250, 1);
    let [one, two] = thread::scope(|scope| {
        [1, 2].map(|layers| scope.spawn(train(layers))).map(|run| run.join().unwrap())
    });
    Ok([one?, two?])
}

#[test]
fn two_layers_find_the_rule_and_one_does_not() -> Result<()> {
    one_thread::candle();
    let [one, two] = trained()?;
    assert!(two.before().second_half() > 3.4, "{two:?}");
    assert!(one.after().second_half() > 1.5, "{one:?}");
    let after = two.after();
    assert!(after.second_half() < 0.3, "{after:?}");
    assert!(after.first_half() > 3.3, "what is random can't be known: {after:?}");
    let best = |scores: &[f32]| scores.iter().copied().fold(0., f32::max);
    assert!(
        best(&after.previous[0]) > 0.7 && best(&after.induction[1]) > 0.7,
        "{after:?}"
    );
    assert!(best(&after.induction[0]) < 0.2, "{after:?}");
    for layer in 0..2 {
        let heads: Vec<Head> =
            two.model.heads().into_iter().filter(|&(of, _)| of == layer).collect();
        let loss = ablated_loss(&two.model, &heads, Instead::Zeros)?;
        assert!(loss > 2., "without layer {layer}: {loss}");
    }
    Ok(())
}
