//! Waiting for something new.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A question is answered after so long, with the old news: a connection that says nothing is cut somewhere.
const PATIENCE: Duration = Duration::from_secs(25);

/// How often the pages were built, and who waits for the next time.
pub struct News {
    /// Another in each server: pages of the one before are old.
    server: u128,
    builds: Mutex<u64>,
    told: Condvar,
}

impl News {
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { server: now.as_nanos(), builds: Mutex::new(0), told: Condvar::new() }
    }

    /// There is something new.
    pub fn tell(&self) {
        *self.builds.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.told.notify_all();
    }

    /// The latest: at once when that is not what was `seen`, else when it comes, or when patience ends.
    pub fn after(&self, seen: &str) -> String {
        let latest = |builds: u64| format!("{}-{builds}", self.server);
        let builds = self.builds.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |builds: &mut u64| latest(*builds) == seen;
        match self.told.wait_timeout_while(builds, PATIENCE, same) {
            Ok((builds, _)) => latest(*builds),
            Err(poisoned) => latest(*poisoned.into_inner().0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn news_come_when_there_are_any() {
        let news = News::new();
        let first = news.after("");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| news.after(&first));
            news.tell();
            assert_ne!(waiting.join().unwrap(), first);
        });
        let other = News::new();
        assert_ne!(other.after(&first), first);
    }
}
