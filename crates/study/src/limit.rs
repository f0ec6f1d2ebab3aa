//! How long the code of one exercise may run.

use clap::Args;

use crate::context::Context;

/// The option of the commands that run exercises.
#[derive(Args)]
pub struct Limit {
    /// How long the code of one exercise may run, in seconds; 0 for as long as it takes [default: the variable CHECKS_LIMIT, else 30]
    #[arg(long = "limit", value_name = "SECONDS")]
    seconds: Option<u32>,
}

impl Limit {
    /// From now on, checks keep to it.
    pub fn set(&self, context: &Context) {
        if let Some(seconds) = self.seconds {
            context.set_limit(seconds);
        }
    }
}
