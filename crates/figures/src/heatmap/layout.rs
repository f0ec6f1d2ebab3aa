use super::Heatmap;
use crate::{
    canvas::{MARGIN, Title, WIDTH},
    text::{self, LABEL, SMALLEST, TICK},
};

/// Space between panels.
const GAP: f64 = 20.0;
/// The longest row label and the longest upright column label.
const LONGEST: (f64, f64) = (150.0, 110.0);
/// How close labels may stand.
const PITCH: f64 = 17.0;

/// Where everything of a heatmap goes, in whole units so that cells are equal.
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) title: Title,
    /// Width and height of a cell.
    pub(super) cell: (f64, f64),
    /// The top left corner of each panel's cells.
    pub(super) panels: Vec<(f64, f64)>,
    pub(super) per_row: usize,
    /// The names of the axes, cut to the room that they have.
    pub(super) y_name: String,
    pub(super) x_name: String,
    /// Where the names of the axes stand: y, and x of the columns' name.
    pub(super) axes: (f64, f64),
    /// The rows' and the columns' labels that there is room for, with their index.
    pub(super) row_labels: Vec<(usize, String)>,
    pub(super) col_labels: Vec<(usize, String)>,
    /// Column labels stand upright.
    pub(super) upright: bool,
    pub(super) legend: f64,
    /// The values of the lightest and the darkest colour.
    pub(super) bounds: Option<(f64, f64)>,
    col_height: f64,
}

impl Layout {
    pub(super) fn new(map: &Heatmap) -> Self {
        let count = map.panels.len();
        let single = count == 1;
        let counted = |labels: &Option<Vec<String>>, count: usize| match labels {
            Some(labels) => labels.iter().map(|l| text::printable(l)).collect(),
            None if single => (0..count).map(|i| i.to_string()).collect(),
            None => Vec::new(),
        };
        let row_labels: Vec<String> = counted(&map.row_labels, map.rows)
            .iter()
            .map(|label| text::cut(label, SMALLEST, LONGEST.0))
            .collect();
        let col_labels: Vec<String> = counted(&map.col_labels, map.cols)
            .iter()
            .map(|label| text::cut(label, SMALLEST, LONGEST.1))
            .collect();

        let arrow = |name: &str, sign: &str, room: f64| match name {
            "" => String::new(),
            name => format!("{} {sign}", text::cut(name, LABEL, room)),
        };
        let y_name = arrow(&map.y, "↓", LONGEST.0);
        let y_width = text::width(&y_name, LABEL);
        let mut left = MARGIN;
        if !row_labels.is_empty() {
            left += text::widest(&row_labels, SMALLEST) + 8.0;
        }
        if single && !map.y.is_empty() {
            left = left.max(MARGIN + y_width + 12.0);
        }
        let left = left.ceil();

        // As many panels beside each other as leave cells that can be seen.
        let mut per_row = match count {
            0..=3 => count,
            4 => 2,
            5..=6 => 3,
            _ => 4,
        };
        let fitting = |per_row: usize| {
            let gaps = (per_row - 1) as f64 * GAP;
            ((WIDTH - MARGIN - left - gaps) / (per_row * map.cols) as f64).floor()
        };
        while per_row > 1 && fitting(per_row) < 4.0 {
            per_row -= 1;
        }
        let mut cell_width = fitting(per_row).min(if single { 64.0 } else { 44.0 }).max(1.0);
        let cell_height = cell_width.min(44.0).min((560.0 / map.rows as f64).floor()).max(4.0);
        if cell_height < PITCH {
            cell_width = cell_width.min(2.0 * cell_height);
        }
        let panel = (cell_width * map.cols as f64, cell_height * map.rows as f64);

        let upright = text::widest(&col_labels, SMALLEST) + 4.0 > cell_width.max(PITCH + 7.0)
            || (map.col_labels.is_some() && text::widest(&col_labels, SMALLEST) + 4.0 > cell_width);
        let col_height = match (col_labels.is_empty(), upright) {
            (true, _) => 0.0,
            (false, true) => text::widest(&col_labels, SMALLEST).ceil() + 10.0,
            (false, false) => 22.0,
        };
        let every = |room: f64, pitch: f64| (pitch / room).ceil().max(1.0) as usize;
        let col_pitch = if upright { PITCH } else { PITCH + 7.0 };
        let some = |labels: Vec<String>, every: usize| {
            labels.into_iter().enumerate().step_by(every).collect()
        };

        let wide = left + per_row as f64 * (panel.0 + GAP) - GAP + MARGIN;
        let width = wide.clamp(380.0, WIDTH);
        let title = Title::new(&map.title, width);
        let has_axes = !(map.x.is_empty() && map.y.is_empty());
        let axes = (
            title.bottom() + 16.0,
            if single {
                left
            } else {
                MARGIN + if map.y.is_empty() { 0.0 } else { y_width + 24.0 }
            },
        );
        let name_height = if single { 0.0 } else { TICK + 9.0 };
        let mut top = title.bottom() + if has_axes { 30.0 } else { 6.0 };
        let mut panels = Vec::new();
        for i in 0..count {
            let column = i % per_row;
            if column == 0 {
                top += if i == 0 { col_height + name_height } else { panel.1 + 12.0 + name_height };
            }
            let x = left + column as f64 * (panel.0 + GAP);
            panels.push((x, top.ceil()));
        }
        let legend = top.ceil() + panel.1 + 28.0;
        Self {
            width,
            height: legend + 24.0,
            title,
            y_name,
            x_name: arrow(&map.x, "→", width - axes.1 - MARGIN - 20.0),
            cell: (cell_width, cell_height),
            panels,
            per_row,
            axes,
            row_labels: some(row_labels, every(cell_height, PITCH)),
            col_labels: some(col_labels, every(cell_width, col_pitch)),
            upright,
            legend,
            bounds: map.bounds(),
            col_height,
        }
    }

    /// Where the column labels above a panel of the first row, whose cells start at `top`, end.
    pub(super) fn above_labels(&self, top: f64) -> f64 {
        top - self.col_height
    }

    /// Whether `text` fits a cell.
    pub(super) fn fits(&self, text: &str) -> bool {
        text::width(text, SMALLEST) + 3.0 <= self.cell.0 && SMALLEST + 3.0 <= self.cell.1
    }
}

/// `value` as a cell shows it.
pub(super) fn printed(value: f64, decimals: usize) -> String {
    if value.is_nan() {
        "NaN".to_string()
    } else if value.is_infinite() {
        if value > 0.0 { "∞" } else { "−∞" }.to_string()
    } else {
        text::fixed(value, decimals)
    }
}
