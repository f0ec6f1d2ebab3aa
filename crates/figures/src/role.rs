use plotters::style::RGBColor;

/// What a tensor is in attention. A role has one colour in all diagrams of the course, and always a label beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// What asks.
    Query,
    /// What is compared with the query.
    Key,
    /// What is handed over.
    Value,
    /// Products of queries and keys.
    Scores,
    /// Scores after the softmax.
    Weights,
    /// The mixture of values.
    Output,
    /// Who may see whom.
    Mask,
    /// One of several sequences, or of several heads, counted from 0; the colours repeat after three.
    Sequence(usize),
    /// Anything else.
    Plain,
}

impl Role {
    /// Its hue: as a stroke it stands out on white paper and on dark.
    pub(crate) fn colour(self) -> RGBColor {
        match self {
            Self::Query => RGBColor(0x00, 0x72, 0xb2),
            Self::Key => RGBColor(0xd5, 0x5e, 0x00),
            Self::Value => RGBColor(0x00, 0x9e, 0x73),
            Self::Scores => RGBColor(0xb8, 0x86, 0x0b),
            Self::Weights => RGBColor(0x85, 0x68, 0xc8),
            Self::Output => RGBColor(0xcc, 0x79, 0xa7),
            Self::Mask => RGBColor(0x8c, 0x6d, 0x4f),
            Self::Sequence(index) => {
                [RGBColor(0x3a, 0x96, 0xd0), RGBColor(0xb5, 0x56, 0x5b), RGBColor(0x6b, 0x8e, 0x23)]
                    [index % 3]
            }
            Self::Plain => RGBColor(0x76, 0x7d, 0x86),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::{GRID, INK, contrast, hex};
    use crate::diagram::{STRONGEST, TINT};

    const ALL: [Role; 11] = [
        Role::Query,
        Role::Key,
        Role::Value,
        Role::Scores,
        Role::Weights,
        Role::Output,
        Role::Mask,
        Role::Sequence(0),
        Role::Sequence(1),
        Role::Sequence(2),
        Role::Plain,
    ];
    /// Paper and ink of the light theme and of the dark ones, which colours.css sets.
    const THEMES: [[RGBColor; 2]; 2] =
        [[RGBColor(255, 255, 255), INK], [RGBColor(0x16, 0x19, 0x23), RGBColor(0xd8, 0xdb, 0xe6)]];

    #[test]
    fn edges_and_text_are_readable_in_light_and_dark() {
        for [paper, ink] in THEMES {
            for role in ALL {
                let colour = role.colour();
                assert!(contrast(colour, paper) >= 3.0, "{role:?}: {}", contrast(colour, paper));
                for tint in [0.0, TINT, STRONGEST] {
                    let mix =
                        |a: u8, b: u8| (f64::from(a) * (1.0 - tint) + f64::from(b) * tint) as u8;
                    let cell = RGBColor(
                        mix(paper.0, colour.0),
                        mix(paper.1, colour.1),
                        mix(paper.2, colour.2),
                    );
                    assert!(
                        contrast(ink, cell) >= 4.5,
                        "{role:?} at {tint}: {}",
                        contrast(ink, cell)
                    );
                }
            }
        }
    }

    #[test]
    fn every_role_has_a_colour_of_its_own_that_no_theme_replaces() {
        for (i, role) in ALL.iter().enumerate() {
            assert!(ALL[..i].iter().all(|other| other.colour() != role.colour()), "{role:?}");
            assert!(![hex(INK), hex(GRID)].contains(&hex(role.colour())));
        }
        assert_eq!(Role::Sequence(4).colour(), Role::Sequence(1).colour());
    }
}
