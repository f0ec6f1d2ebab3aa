//! A backup that is put back in its place is checked, though it is older than what was built in between.

mod course;

use std::fs;

use course::{Course, has};

#[test]
#[ignore = "starts cargo: the gate runs it"]
fn a_backup_that_is_put_back_is_checked() {
    let course = Course::new();
    course.solve("2 * x");
    has(&course.study(&["check", "counting"]).out, "✓✓ double");
    assert_eq!(course.study(&["reset", "counting"]).code, Some(0));
    has(&course.study(&["check", "counting"]).out, "○ double");
    let kept = course.backups();
    fs::rename(&kept[0], course.exercise()).unwrap();
    has(&course.study(&["check", "counting"]).out, "✓✓ double");
    has(&course.study(&["progress"]).out, "✓✓ double");
}
