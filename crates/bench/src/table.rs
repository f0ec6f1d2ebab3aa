//! Tables that are Markdown, and that a terminal shows as tables too.

/// A table: a head and rows of as many cells. The first column is text, the others are numbers.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows yet.
    pub fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        Self { rows: vec![head.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.rows[0].len(), "as many cells as the head has");
        self.rows.push(cells);
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// The table, its columns aligned.
    pub fn markdown(&self) -> String {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for (at, row) in self.rows.iter().enumerate() {
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                text += &match column {
                    0 => format!("| {cell:<width$} |"),
                    _ => format!(" {cell:>width$} |"),
                };
            }
            text += "\n";
            if at == 0 {
                text += &format!("|{}|", "-".repeat(widths[0] + 2));
                widths[1..]
                    .iter()
                    .for_each(|width| text += &format!("{}:|", "-".repeat(width + 1)));
                text += "\n";
            }
        }
        text
    }
}

/// Milliseconds with three digits.
pub fn ms(ms: f64) -> String {
    digits(ms)
}

/// A number with three digits that count: `0.0234`, `1.23`, `45.6`, `789`, `1,234`.
pub fn digits(x: f64) -> String {
    let whole = if x >= 1. { x.log10().floor() as i32 + 1 } else { 0 };
    match whole {
        0 if x < 0.1 => format!("{x:.4}"),
        0 => format!("{x:.3}"),
        1 => format!("{x:.2}"),
        2 => format!("{x:.1}"),
        _ => options::bench::rows::thousands(x.round() as usize),
    }
}

/// A number of bytes: `34.1 MB`.
pub fn bytes(bytes: usize) -> String {
    match bytes as f64 {
        x if x < 1e3 => format!("{bytes} B"),
        x if x < 1e6 => format!("{} kB", digits(x / 1e3)),
        x if x < 1e9 => format!("{} MB", digits(x / 1e6)),
        x => format!("{} GB", digits(x / 1e9)),
    }
}

/// How many times as fast: `2.34 ×`, never broken in two lines.
pub fn times(ratio: f64) -> String {
    format!("{ratio:.2}\u{a0}×")
}

/// A part: `87 %`.
pub fn percent(part: f64) -> String {
    format!("{:.0}\u{a0}%", part * 100.)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let shown = [0.0231, 0.5, 1.234, 45.67, 789.4, 1234.5].map(digits);
        assert_eq!(shown, ["0.0231", "0.500", "1.23", "45.7", "789", "1,235"]);
        assert_eq!([512, 34_100_000, 8_600_000_000].map(bytes), ["512 B", "34.1 MB", "8.60 GB"]);
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["", "a"]);
        table.row(vec!["row".into(), "1,234".into()]);
        assert_eq!(table.markdown(), "|     |     a |\n|-----|------:|\n| row | 1,234 |\n");
    }
}
