//! Tables without lines: columns two spaces apart, as wide as they need to be.

use super::style::{Style, Tone};
use super::text::escaped;

/// A column's title and the side on which its text stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// Words.
    Left(&'static str),
    /// Numbers.
    Right(&'static str),
}

impl Column {
    fn title(self) -> &'static str {
        let (Self::Left(title) | Self::Right(title)) = self;
        title
    }
}

/// A cell: text from anywhere, escaped here, with or without a tone.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl Cell {
    /// Text in a tone.
    pub(crate) fn toned(text: impl AsRef<str>, tone: impl Into<Tone>) -> Self {
        Self { tone: Some(tone.into()), ..Self::from(text) }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: escaped(text.as_ref()).into_owned(), tone: None }
    }
}

/// A table that is written in pieces and need not end: its titles come before the first row, its columns become wider
/// when a piece needs it, never narrower.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    columns: [Column; N],
    widths: [usize; N],
    style: Style,
    begun: bool,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    pub(crate) fn new(columns: [Column; N], style: Style) -> Self {
        Self { columns, widths: [0; N], style, begun: false }
    }

    /// Whether there was a row.
    pub(crate) fn has_rows(&self) -> bool {
        self.begun
    }

    /// The next rows as lines, each with its end of line.
    pub(crate) fn render(&mut self, rows: impl IntoIterator<Item = [Cell; N]>) -> String {
        let mut rows: Vec<_> = rows.into_iter().collect();
        if !self.begun && !rows.is_empty() {
            self.begun = true;
            rows.insert(0, self.columns.map(|column| Cell::toned(column.title(), Tone::Title)));
        }
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let mut text = String::new();
        rows.iter().for_each(|row| self.line(row, &mut text));
        text
    }

    fn line(&self, row: &[Cell; N], text: &mut String) {
        // What separates a cell from the one before, written only if something follows: lines end without blanks.
        let mut blanks = 0;
        for ((cell, column), width) in row.iter().zip(self.columns).zip(self.widths) {
            let gap = width - cell.width();
            let (before, after) = if let Column::Right(_) = column { (gap, 0) } else { (0, gap) };
            blanks += before;
            if !cell.text.is_empty() {
                text.extend(std::iter::repeat_n(' ', blanks));
                blanks = 0;
                match cell.tone {
                    Some(tone) => text.push_str(&self.style.paint(tone, &cell.text)),
                    None => text.push_str(&cell.text),
                }
            }
            blanks += after + 2;
        }
        text.push('\n');
    }
}

/// A whole table.
pub(crate) fn render<const N: usize>(
    columns: [Column; N],
    rows: impl IntoIterator<Item = [Cell; N]>,
    style: Style,
) -> String {
    Table::new(columns, style).render(rows)
}

/// Names and values, the values in one column.
pub(crate) fn render_pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    pairs.iter().map(|(name, value)| format!("{name:width$}  {}\n", escaped(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [Column::Right("ID"), Column::Left("STATE"), Column::Left("NOTE")];

    fn row(id: &str, state: &str, note: &str) -> [Cell; 3] {
        [id.into(), Cell::toned(state, Tone::Good), note.into()]
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() {
        let text = render(COLUMNS, [row("1", "Up", ""), row("1000", "Disconnected", "x")], Style::PLAIN);
        assert_eq!(text, "  ID  STATE         NOTE\n   1  Up\n1000  Disconnected  x\n");
    }

    #[test]
    fn columns_grow_with_later_pieces_and_never_shrink() {
        let mut table = Table::new(COLUMNS, Style::PLAIN);
        assert_eq!(table.render([]), "");
        assert!(!table.has_rows());
        assert_eq!(table.render([row("1", "Up", "a")]), "ID  STATE  NOTE\n 1  Up     a\n");
        assert_eq!(table.render([row("1000", "Up", "b")]), "1000  Up     b\n");
        assert_eq!(table.render([row("2", "Up", "c")]), "   2  Up     c\n");
    }

    #[test]
    fn text_from_outside_cannot_colour_the_terminal() {
        assert_eq!(
            render(COLUMNS, [row("1", "\u{1b}[31mUp", "")], Style::PLAIN),
            "ID  STATE         NOTE\n 1  \\u{1b}[31mUp\n"
        );
        assert_eq!(render_pairs(&[("State", "U\np".to_owned())]), "State  U\\np\n");
    }

    #[test]
    fn tones_are_shown_only_in_colour_and_take_no_room() {
        let text = render(COLUMNS, [row("1", "Up", "x")], Style { color: true });
        assert!(text.ends_with(" 1  \u{1b}[32mUp\u{1b}[0m     x\n"), "{text:?}");
    }
}
