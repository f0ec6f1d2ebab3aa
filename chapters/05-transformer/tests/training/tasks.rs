//! The tasks' sequences and answers.

use candle_core::{Result, Tensor};
use transformer::{
    model::PADDING,
    tasks::{END, START, SYMBOLS, Task, draw},
};

#[test]
fn the_target_is_the_answer_shifted_right() -> Result<()> {
    for task in [Task::Copy, Task::Reverse, Task::Sort] {
        let batch = draw(task, 40, 1..=6, 3)?;
        let tensors =
            [&batch.source, &batch.target, &batch.target_in, &batch.target_out];
        let [source, target, input, output] = tensors.map(Tensor::to_vec2::<u32>);
        let rows =
            source?.into_iter().zip(target?).zip(input?.into_iter().zip(output?));
        let mut seen = [false; 7];
        for ((source, target), (input, output)) in rows {
            let symbols: Vec<_> =
                source.iter().copied().take_while(|&token| token != PADDING).collect();
            assert!(symbols.iter().all(|symbol| SYMBOLS.contains(symbol)));
            assert!(source[symbols.len()..].iter().all(|&token| token == PADDING));
            seen[symbols.len()] = true;
            let answer = task.answer(&symbols);
            let padding = vec![PADDING; source.len() - symbols.len()];
            assert_eq!(target, [&[START], &answer[..], &[END], &padding].concat());
            assert_eq!(input, target[..target.len() - 1]);
            assert_eq!(output, target[1..]);
        }
        assert_eq!(seen, [false, true, true, true, true, true, true]);
    }
    Ok(())
}

#[test]
fn answers_are_right() {
    let source = [7, 3, 10, 3];
    assert_eq!(Task::Copy.answer(&source), [7, 3, 10, 3]);
    assert_eq!(Task::Reverse.answer(&source), [3, 10, 3, 7]);
    assert_eq!(Task::Sort.answer(&source), [3, 3, 7, 10]);
    for task in [Task::Copy, Task::Reverse, Task::Sort] {
        assert_eq!(task.to_string().parse(), Ok(task));
    }
    assert!("copi".parse::<Task>().unwrap_err().contains("got `copi`"));
}

#[test]
fn a_batch_without_sequences_or_symbols_is_refused() {
    let told =
        |size, lengths| draw(Task::Copy, size, lengths, 1).unwrap_err().to_string();
    assert!(told(0, 1..=2).contains("at least 1 sequence"));
    assert!(told(1, 0..=2).contains("0..=2"));
    assert!(told(2, 1..=usize::MAX).contains("tokens in all"));
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is tried")]
    let backwards = told(1, 3..=2);
    assert!(backwards.contains("3..=2"));
}
