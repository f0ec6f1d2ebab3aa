//! Keeping candle to one thread.

use std::{env, process::Command};

/// Where candle and rayon look for their number of threads.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Starts this program again with `RAYON_NUM_THREADS=1`, unless the variable is set already.
///
/// candle divides each operation between all cores. Those of a small model take microseconds, and most of the time is
/// lost in waiting for the other threads; a batch divided between threads has them all at work. candle knows no other
/// way to be told, and a variable of a running program can't be set safely. When the program can't be started again,
/// this one goes on, and is slower.
pub fn single_threaded_candle() {
    if env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else {
        return;
    };
    let mut command = Command::new(program);
    command.args(env::args_os().skip(1)).env(VARIABLE, "1");
    restart(command);
}

/// Puts the new program in this one's place: Ctrl-C finds it.
#[cfg(unix)]
fn restart(mut command: Command) {
    use std::os::unix::process::CommandExt;
    // Returns only when the program could not be started.
    let _ = command.exec();
}

#[cfg(not(unix))]
fn restart(mut command: Command) {
    // Ctrl-C reaches both programs; this one waits for what the other makes of it.
    #[cfg(feature = "train")]
    let _ = ctrlc::set_handler(|| ());
    if let Ok(status) = command.status() {
        std::process::exit(status.code().unwrap_or(1));
    }
}
