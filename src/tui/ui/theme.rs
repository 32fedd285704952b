//! Colours and symbols by meaning. Meaning is never carried by colour alone: each has its own symbol.

use ratatui::style::{Color, Modifier, Style};

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Strong,
    Dim,
    Accent,
    Good,
    Notice,
    Bad,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    pub name: String,
    accent: Color,
    good: Color,
    notice: Color,
    bad: Color,
    dim: Dim,
    /// Background of the selected row; reversed when there is none.
    selected: Option<Color>,
    /// Colours may be used at all.
    colour: bool,
    pub unicode: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Dim {
    Attribute,
    Colour(Color),
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    accent: Option<String>,
    good: Option<String>,
    notice: Option<String>,
    bad: Option<String>,
    dim: Option<String>,
    selected: Option<String>,
    #[serde(default)]
    colour: Option<bool>,
}

/// The built-in themes by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("dark", include_str!("../../../assets/themes/dark.toml")),
    ("light", include_str!("../../../assets/themes/light.toml")),
    ("mono", include_str!("../../../assets/themes/mono.toml")),
    ("colour-blind", include_str!("../../../assets/themes/colour-blind.toml")),
];

impl Theme {
    /// Reads a theme; the error says what is wrong with it.
    pub fn parse(name: &str, text: &str, unicode: bool) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let colour = |text: &Option<String>| -> Result<Color, String> {
            match text.as_deref() {
                None | Some("") => Ok(Color::Reset),
                Some(text) => text.parse().map_err(|_| text.to_owned()),
            }
        };
        Ok(Self {
            name: name.to_owned(),
            accent: colour(&file.accent)?,
            good: colour(&file.good)?,
            notice: colour(&file.notice)?,
            bad: colour(&file.bad)?,
            dim: match &file.dim {
                Some(text) if !text.is_empty() => Dim::Colour(colour(&file.dim)?),
                _ => Dim::Attribute,
            },
            selected: match &file.selected {
                Some(text) if !text.is_empty() => Some(colour(&file.selected)?),
                _ => None,
            },
            colour: file.colour.unwrap_or(true),
            unicode,
        })
    }

    /// A built-in theme; `dark` when there is none of that name.
    #[must_use]
    pub fn built_in(name: &str, unicode: bool) -> Self {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name).unwrap_or(&BUILT_IN[0]);
        Self::parse(name, text, unicode).expect("a test reads every built-in theme")
    }

    /// Whether it may use colours at all.
    #[must_use]
    pub fn has_colour(&self) -> bool {
        self.colour
    }

    #[must_use]
    pub fn style(&self, tone: Tone) -> Style {
        let base = Style::new();
        let coloured = |style: Style, colour: Color| if self.colour { style.fg(colour) } else { style };
        match tone {
            Tone::Plain => base,
            Tone::Strong => base.add_modifier(Modifier::BOLD),
            Tone::Dim => match self.dim {
                Dim::Attribute => base.add_modifier(Modifier::DIM),
                Dim::Colour(colour) => coloured(base, colour),
            },
            Tone::Accent => coloured(base.add_modifier(Modifier::BOLD), self.accent),
            Tone::Good => coloured(base, self.good),
            Tone::Notice => coloured(base, self.notice),
            Tone::Bad => coloured(base.add_modifier(Modifier::BOLD), self.bad),
        }
    }

    /// Letters that a search matched: seen without colour, and on the selected row.
    #[must_use]
    pub fn marked(&self) -> Style {
        self.style(Tone::Accent).add_modifier(Modifier::UNDERLINED)
    }

    /// The row under the cursor: visible without colour, by its mark and by bold or reverse.
    #[must_use]
    pub fn selected(&self) -> Style {
        match self.selected {
            Some(colour) if self.colour => Style::new().bg(colour).add_modifier(Modifier::BOLD),
            _ => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// The same with its text kept on the terminal's own background, for a list that does not have the focus.
    #[must_use]
    pub fn selected_elsewhere(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    #[must_use]
    pub fn symbol(&self, symbol: Symbol) -> &'static str {
        let (unicode, ascii) = match symbol {
            Symbol::Good => ("✓", "+"),
            Symbol::Notice => ("!", "!"),
            Symbol::Bad => ("✗", "x"),
            Symbol::Quiet => ("·", "."),
            Symbol::Cursor => ("▌", ">"),
            Symbol::Current => ("●", "*"),
            Symbol::Open => ("○", "o"),
            Symbol::Rule => ("─", "-"),
            Symbol::Bar => ("│", "|"),
            Symbol::Full => ("█", "#"),
            Symbol::Empty => ("░", "."),
            Symbol::Mask => ("•", "*"),
            Symbol::Crumb => ("›", ">"),
            Symbol::Sorted => ("▴", "^"),
            Symbol::SortedDown => ("▾", "v"),
            Symbol::Previous => ("◂", "<"),
            Symbol::Next => ("▸", ">"),
            Symbol::Global => ("■", "G"),
            Symbol::Entity => ("▣", "E"),
            Symbol::Both => ("◧", "B"),
            Symbol::TabLeft => ("▌", "["),
            Symbol::TabRight => ("▐", "]"),
            Symbol::Arrow => ("→", "->"),
            Symbol::Changed => ("~", "~"),
        };
        if self.unicode { unicode } else { ascii }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    Good,
    Notice,
    Bad,
    Quiet,
    Cursor,
    Current,
    Open,
    Rule,
    Bar,
    Full,
    Empty,
    Mask,
    Crumb,
    Sorted,
    SortedDown,
    Previous,
    Next,
    Global,
    Entity,
    Both,
    TabLeft,
    TabRight,
    Arrow,
    Changed,
}

/// Frames of the spinner beside a task that runs.
#[must_use]
pub fn spinner(milliseconds: i64, unicode: bool) -> &'static str {
    const UNICODE: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
    const ASCII: [&str; 4] = ["|", "/", "-", "\\"];
    let frame = usize::try_from(milliseconds / 120).unwrap_or(0);
    if unicode { UNICODE[frame % UNICODE.len()] } else { ASCII[frame % ASCII.len()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_theme_can_be_read() {
        for (name, text) in BUILT_IN {
            Theme::parse(name, text, true).unwrap();
        }
    }

    #[test]
    fn mono_uses_no_colour() {
        let mono = Theme::built_in("mono", true);
        for tone in [Tone::Plain, Tone::Strong, Tone::Dim, Tone::Accent, Tone::Good, Tone::Notice, Tone::Bad] {
            assert_eq!(mono.style(tone).fg, None, "{tone:?}");
        }
        assert_eq!(mono.selected().bg, None);
    }
}
