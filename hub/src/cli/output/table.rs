//! Rows as a table, or as blocks of lines where the terminal is too narrow for columns.

use comfy_table::{ContentArrangement, Table, presets};

use super::{Look, cut};

/// A column that has to be wrapped is still read with so many characters; with fewer it is not.
const READABLE: usize = 12;
/// A cell takes some lines at most, or so many characters: the rest of it is in `-o wide`.
const LINES: usize = 3;
const SENTENCE: usize = 96;

/// A table without lines, as `kubectl get` prints it; cells wrap only where the width forces it, and
/// where columns cannot be read any more each row becomes a block of `HEAD: cell` lines.
///
/// A cell has no lines of its own: what has them could look like rows.
pub fn table(look: Look, head: &[&str], mut rows: Vec<Vec<String>>) -> String {
    for cell in rows.iter_mut().flatten() {
        if cell.contains(['\n', '\t']) {
            *cell = cell.split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }
    let needed = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let longest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        longest.max(head[column].chars().count())
    };
    let natural: Vec<usize> = (0..head.len()).map(needed).collect();
    let gaps = 2 * head.len().saturating_sub(1);
    let least: usize = natural.iter().map(|width| (*width).min(READABLE)).sum();
    let is_endless = look.width == Look::ENDLESS;
    if least + gaps > look.width && !is_endless {
        return blocks(look, head, &rows);
    }
    let fits = is_endless || natural.iter().sum::<usize>() + gaps <= look.width;
    let rows = if fits || look.is_whole() {
        rows
    } else {
        shortened(look, &natural, rows)
    };
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(if fits {
            ContentArrangement::Disabled
        } else {
            ContentArrangement::Dynamic
        })
        // The last column's padding is cut off below.
        .set_width(u16::try_from(look.width + 2).unwrap_or(u16::MAX))
        .set_header(head.iter().copied())
        .add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Cells that would take many lines, cut: one long name must not push all others off the screen.
fn shortened(look: Look, natural: &[usize], rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let fair = (look.width / natural.len().max(1)).max(READABLE);
    let short = |cell: String| cut(&cell, (fair * LINES).max(SENTENCE));
    let rows = rows.into_iter();
    rows.map(|row| row.into_iter().map(short).collect())
        .collect()
}

fn blocks(look: Look, head: &[&str], rows: &[Vec<String>]) -> String {
    let mut blocks = Vec::new();
    for row in rows {
        let mut block = String::new();
        for (name, cell) in head.iter().zip(row).filter(|(_, cell)| *cell != "-") {
            let line = format!("{name}: {cell}");
            block += &look.cut(&line, (look.width * LINES).max(SENTENCE));
            block.push('\n');
        }
        blocks.push(block);
    }
    blocks.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        text.to_owned()
    }

    fn rows(name: &str) -> Vec<Vec<String>> {
        vec![
            vec![
                cell(name),
                cell("Active"),
                cell("heard a long while ago, by telephone"),
            ],
            vec![cell("us-1"), cell("Active"), cell("-")],
        ]
    }

    const HEAD: &[&str] = &["CLUSTER", "STATE", "WORDS"];

    #[test]
    fn a_cell_with_lines_makes_no_rows() {
        let text = table(
            Look::plain(120),
            HEAD,
            rows("eu-1\nus-9  Active\tall is well"),
        );
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("eu-1 us-9 Active all is well"), "{text}");
    }

    #[test]
    fn a_terminal_of_twenty_columns_gets_blocks_of_lines() {
        let text = table(Look::plain(20), HEAD, rows("eu-1"));
        assert_eq!(
            text,
            "CLUSTER: eu-1\nSTATE: Active\nWORDS: heard a long while ago, by telephone\n\n\
             CLUSTER: us-1\nSTATE: Active\n"
        );
    }

    #[test]
    fn a_name_of_253_characters_takes_some_lines_at_most_and_leaves_room_for_the_others() {
        let name = "n".repeat(253);
        for width in [20, 40, 80, 120, 200] {
            let text = table(Look::plain(width), HEAD, rows(&name));
            let longest = text.lines().map(|line| line.chars().count()).max();
            assert!(text.contains("us-1") && text.contains("Active"), "{text}");
            assert!(text.lines().count() < 14, "{width}\n{text}");
            if width >= 40 {
                assert!(longest <= Some(width), "{width}\n{text}");
            }
        }
        let whole = table(Look::plain(20).everything(), HEAD, rows(&name));
        assert!(whole.contains(&name), "{whole}");
    }

    #[test]
    fn ten_thousand_rows_are_ten_thousand_lines_and_one() {
        let many = (0..10_000).map(|n| vec![format!("cluster-{n}"), cell("Active"), cell("-")]);
        let text = table(Look::plain(80), HEAD, many.collect());
        assert_eq!(text.lines().count(), 10_001);
    }
}
