//! From tables to a screen: tones get colours, what does not fit is scrolled to or left out.

use std::ffi::OsStr;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::model::{Model, Section};
use super::sections;
use crate::table::{Cell, Table, Tone};

/// The smallest screen that anything can be read on.
const WIDTH_MIN: u16 = 24;
const HEIGHT_MIN: u16 = 5;

/// What tones look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// The terminal's own eight colours.
    Colours,
    /// Bold, faint and reversed text.
    Plain,
}

impl Palette {
    /// As the value of `NO_COLOR` says.
    pub fn of_environment(no_color: Option<&OsStr>) -> Palette {
        match no_color {
            Some(value) if !value.is_empty() => Palette::Plain,
            _ => Palette::Colours,
        }
    }

    fn style(self, tone: Tone) -> Style {
        let plain = Style::new();
        match (tone, self) {
            (Tone::Plain, _) => plain,
            (Tone::Heading, _) => plain.add_modifier(Modifier::BOLD),
            (Tone::Faint, _) => plain.add_modifier(Modifier::DIM),
            (Tone::Good, Palette::Colours) => plain.fg(Color::Green),
            (Tone::Good, Palette::Plain) => plain,
            (Tone::Warning, Palette::Colours) => plain.fg(Color::Yellow),
            (Tone::Warning, Palette::Plain) => plain.add_modifier(Modifier::BOLD),
            (Tone::Bad, Palette::Colours) => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            (Tone::Bad, Palette::Plain) => plain.add_modifier(Modifier::REVERSED),
        }
    }

    fn line(self, cells: Vec<Cell>) -> Line<'static> {
        let spans = cells
            .into_iter()
            .map(|cell| Span::styled(cell.text, self.style(cell.tone)));
        Line::from(spans.collect::<Vec<Span>>())
    }
}

/// Draws one frame.
pub fn draw(frame: &mut Frame, model: &mut Model, palette: Palette) {
    let area = frame.area();
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        frame.render_widget(Paragraph::new("too small"), area);
        return;
    }
    let [head, tabs, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(palette.line(headline(model))), head);
    frame.render_widget(Paragraph::new(tab_line(model, palette)), tabs);
    draw_body(frame, model, palette, body);
    let keys = "q quit   tab, arrows, 1-6 section   up, down scroll   p pause";
    frame.render_widget(Paragraph::new(palette.line(vec![Cell::new(keys, Tone::Faint)])), foot);
}

fn draw_body(frame: &mut Frame, model: &mut Model, palette: Palette, body: Rect) {
    let lines = body_lines(model, usize::from(body.width));
    // A key scrolls by lines that there are: what is scrolled beyond them would have to be scrolled back.
    model.scroll = model.scroll.min(lines.len().saturating_sub(usize::from(body.height)));
    let shown = lines.into_iter().skip(model.scroll).take(body.height.into());
    let lines: Vec<Line> = shown.map(|cells| palette.line(cells)).collect();
    frame.render_widget(Paragraph::new(lines), body);
}

fn headline(model: &Model) -> Vec<Cell> {
    let mut cells = vec![Cell::new("tickpath  ", Tone::Heading)];
    if model.is_paused {
        cells.push(Cell::new("PAUSED", Tone::Warning));
        cells.push(Cell::plain("  "));
    }
    if let Some(since) = model.absent_since.filter(|_| model.window().is_some()) {
        let gone = since.elapsed().as_secs();
        cells.push(Cell::new(format!("no relay for {gone} s: these are old"), Tone::Bad));
        cells.push(Cell::plain("  "));
    }
    cells.extend(sections::summary(model));
    cells
}

fn tab_line(model: &Model, palette: Palette) -> Line<'static> {
    let tabs = Section::ALL.into_iter().flat_map(|section| {
        let style = match section == model.section {
            true => palette.style(Tone::Heading).add_modifier(Modifier::REVERSED),
            false => palette.style(Tone::Plain),
        };
        [Span::styled(format!(" {} ", section.name()), style), Span::raw(" ")]
    });
    Line::from(tabs.collect::<Vec<Span>>())
}

fn body_lines(model: &Model, width: usize) -> Vec<Vec<Cell>> {
    if model.window().is_none() {
        return absent_lines(model, width);
    }
    let mut lines = Vec::new();
    for table in sections::tables(model, model.section) {
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        lines.extend(table.lines(width));
    }
    lines
}

/// What a screen says that has never seen a relay.
fn absent_lines(model: &Model, width: usize) -> Vec<Vec<Cell>> {
    let Some(error) = &model.absent else {
        return vec![vec![Cell::new("looking for the relay", Tone::Faint)]];
    };
    let socket = format!("no relay answers on {}", model.socket.display());
    let hint = "start the pipeline with `tickpath up`; this screen tries again every second";
    let texts = [(socket.as_str(), Tone::Bad), (error, Tone::Plain), (hint, Tone::Plain)];
    let lines = texts.into_iter().flat_map(|(text, tone)| {
        wrapped(text, width)
            .into_iter()
            .map(move |text| vec![Cell::new(text, tone)])
    });
    lines.collect()
}

/// Pieces of at most so many characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters
        .chunks(width.max(1))
        .map(|piece| piece.iter().collect())
        .collect()
}

/// Everything as plain text.
pub fn text(model: &Model) -> String {
    let summary: String = sections::summary(model).into_iter().map(|cell| cell.text).collect();
    let tables = sections::tables(model, Section::All);
    let tables: Vec<String> = tables.iter().map(Table::text).collect();
    format!("{}\n\n{}", summary.trim_end(), tables.join("\n"))
}
