//! From the options to settings.

use options::train::Options;
use transformer::{
    TransformerConfig,
    reason::reason,
    schedule::Schedule,
    tasks::Task,
    training::{CodePath, Settings},
};

/// The settings that `options` ask for; what they leave open is taken from the task's recipe.
pub fn settings(options: &Options) -> Result<Settings, String> {
    let path = if options.mine { CodePath::Mine } else { options.path.parse()? };
    let task: Task = options.task.parse()?;
    let lengths = options.lengths.clone();
    let recipe = Settings::recipe(task, lengths, options.norm.parse()?, path);
    let steps = options.steps.unwrap_or(recipe.steps);
    let schedule = match recipe.schedule {
        Schedule::Linear { peak, warmup, .. } => Schedule::Linear {
            peak: options.rate.unwrap_or(peak),
            warmup: options.warmup.unwrap_or(warmup),
            steps,
        },
        paper => paper,
    };
    let settings = Settings {
        batch: options.batch,
        steps,
        seed: options.seed,
        threads: options.threads.unwrap_or(recipe.threads),
        smoothing: options.smoothing.unwrap_or(recipe.smoothing),
        schedule,
        model: TransformerConfig {
            dropout: options.dropout.unwrap_or(recipe.model.dropout),
            ..recipe.model
        },
        ..recipe
    };
    settings.validate().map_err(|error| format!("--{}", reason(&error)))?;
    Ok(settings)
}

/// The settings in a line.
pub fn shown(settings: &Settings) -> String {
    let (shortest, longest) = (settings.lengths.start(), settings.lengths.end());
    let lengths = if shortest == longest {
        format!("sequences of {shortest} tokens")
    } else {
        format!("sequences of {shortest} to {longest} tokens")
    };
    format!(
        "Task: {}, {lengths}; {}-norm, path {}, {} steps of {} sequences, threads: {}",
        settings.task,
        settings.model.order,
        settings.path,
        settings.steps,
        settings.batch,
        settings.threads
    )
}
