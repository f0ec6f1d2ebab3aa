//! Whether a checkpoint is of the training that is asked for; if not, in which options they differ.

use crate::{places::shown, typed};
use std::path::Path;
use transformer::{
    NormOrder,
    reason::reason,
    schedule::Schedule,
    tasks::Task,
    training::{CodePath, Settings},
};

/// What an option of the program decides.
#[derive(Debug, PartialEq)]
struct Choice {
    /// The option, without its dashes.
    name: &'static str,
    value: String,
    /// What it is when the option is left out.
    usual: String,
}

/// Says in which options the checkpoint `file`, of a training with `theirs`, is of another training than is asked for with
/// `ours`, and what to type; nothing when they are the same.
pub fn refusal(file: &Path, theirs: &Settings, ours: &Settings) -> Option<String> {
    let anew =
        "To train anew, leave out --resume: the checkpoint is kept under another name.";
    let (their, our) = (choices(theirs), choices(ours));
    let differ = |(their, our): &(&Choice, &Choice)| {
        let usual = their.is_usual() && our.is_usual();
        their.value != our.value && !usual
    };
    let pairs: Vec<_> = their.iter().zip(&our).filter(differ).collect();
    if pairs.is_empty() {
        return match theirs.difference(ours) {
            Ok(None) => None,
            Ok(Some((name, theirs, ours))) => Some(format!(
                "`{}` is not of this program: {name} is {theirs} there, and {ours} here. Name another file with --checkpoint. {anew}",
                shown(file)
            )),
            Err(error) => Some(reason(&error)),
        };
    }
    let list = |of: fn(&(&Choice, &Choice)) -> String| {
        pairs.iter().map(of).collect::<Vec<_>>().join(", ")
    };
    Some(format!(
        "`{}` is of a training with {}; you asked for {}. To go on with it, type\n  {}\n{anew}",
        shown(file),
        list(|(their, _)| their.said()),
        list(|(_, our)| our.said()),
        typed::going_on(arguments(&their), file)
    ))
}

/// The arguments that decide so.
fn arguments(choices: &[Choice]) -> Vec<String> {
    let typed = choices.iter().filter(|choice| !choice.is_usual());
    let words = typed.flat_map(|Choice { name, value, .. }| match value.as_str() {
        "mine" => vec!["--mine".to_owned()],
        _ => vec![format!("--{name}"), value.clone()],
    });
    words.collect()
}

impl Choice {
    fn is_usual(&self) -> bool {
        self.value == self.usual
    }

    fn said(&self) -> String {
        format!("{} {}", self.name, self.value)
    }
}

/// What the options of a training with `settings` are, in the order in which one decides the next.
fn choices(settings: &Settings) -> Vec<Choice> {
    let Settings { task, lengths, path, .. } = settings;
    let order = settings.model.order;
    let recipe = Settings::recipe(*task, lengths.clone(), order, *path);
    let usual =
        Settings::recipe(Task::Copy, 10..=10, NormOrder::Pre, CodePath::Readable);
    let schedule = |settings: &Settings| match settings.schedule {
        Schedule::Linear { peak, warmup, .. } => [peak.to_string(), warmup.to_string()],
        Schedule::Paper { warmup, .. } => {
            ["the paper's".to_owned(), warmup.to_string()]
        }
    };
    let all = |settings: &Settings| {
        let (shortest, longest) = (settings.lengths.start(), settings.lengths.end());
        let lengths = match shortest == longest {
            true => shortest.to_string(),
            false => format!("{shortest}..={longest}"),
        };
        let [rate, warmup] = schedule(settings);
        [
            ("task", settings.task.to_string()),
            ("norm", settings.model.order.to_string()),
            ("path", settings.path.to_string()),
            ("lengths", lengths),
            ("batch", settings.batch.to_string()),
            ("steps", settings.steps.to_string()),
            ("seed", settings.seed.to_string()),
            ("rate", rate),
            ("warmup", warmup),
            ("smoothing", settings.smoothing.to_string()),
            ("dropout", settings.model.dropout.to_string()),
            ("threads", settings.threads.to_string()),
        ]
    };
    // The first four decide the recipe, which says what the others are when they are left out.
    let usual = all(&usual).into_iter().take(4).chain(all(&recipe).into_iter().skip(4));
    all(settings)
        .into_iter()
        .zip(usual)
        .map(|((name, value), (_, usual))| Choice { name, value, usual })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use transformer::TransformerConfig;

    fn recipe(task: Task) -> Settings {
        Settings::recipe(task, 10..=10, NormOrder::Pre, CodePath::Readable)
    }

    fn told(theirs: &Settings, ours: &Settings) -> String {
        refusal(Path::new("a.safetensors"), theirs, ours).unwrap_or_default()
    }

    #[test]
    fn another_task_is_named_and_not_what_follows_from_it() {
        let text = told(&recipe(Task::Copy), &recipe(Task::Sort));
        assert!(
            text.starts_with(
                "`a.safetensors` is of a training with task copy; you asked for task sort. To go on with it, type\n  cargo study train --checkpoint a.safetensors --resume\n"
            ),
            "{text}"
        );
        let text = told(&recipe(Task::Sort), &recipe(Task::Copy));
        assert!(text.contains("train --task sort --checkpoint"), "{text}");
    }

    #[test]
    fn every_option_that_does_not_fit_is_named() {
        let ours = recipe(Task::Copy);
        assert_eq!(told(&ours, &ours.clone()), "");
        let mut theirs =
            Settings::recipe(Task::Copy, 1..=20, NormOrder::Post, CodePath::Mine);
        (theirs.batch, theirs.steps, theirs.seed, theirs.smoothing) = (64, 9, 2, 0.1);
        theirs.schedule = Schedule::Linear { peak: 0.25, warmup: 3, steps: 9 };
        theirs.model.dropout = 0.5;
        theirs.threads = 1;
        let text = told(&theirs, &ours);
        assert!(
            text.contains("with norm post, path mine, lengths 1..=20, batch 64, steps 9, seed 2, rate 0.25, warmup 3, smoothing 0.1, dropout 0.5, threads 1; you asked for norm pre, path readable, lengths 10, batch 32, steps 500"),
            "{text}"
        );
        assert!(
            text.contains("cargo study train --norm post --mine --lengths 1..=20 --batch 64 --steps 9 --seed 2 --rate 0.25 --warmup 3 --smoothing 0.1 --dropout 0.5 --threads 1 --checkpoint a.safetensors --resume"),
            "{text}"
        );
    }

    #[test]
    fn a_model_of_another_size_is_not_of_this_program() {
        let ours = recipe(Task::Copy);
        let model = TransformerConfig { d_model: 128, ..ours.model };
        let text = told(&Settings { model, ..ours.clone() }, &ours);
        assert!(
            text.contains("not of this program: d_model is 128 there, and 64 here")
                || text.contains("model.d_model is 128 there, and 64 here"),
            "{text}"
        );
    }
}
