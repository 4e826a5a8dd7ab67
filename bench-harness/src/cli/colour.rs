//! Whether to colour what is printed.

#![forbid(unsafe_code)]

use clap::ValueEnum;

/// The user's word on colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set; anywhere if `CLICOLOR_FORCE` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Whether to colour output that goes to a terminal or not.
    pub(super) fn wanted(self, terminal: bool) -> bool {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let force = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
        self.decide(terminal, no_color, force)
    }

    fn decide(self, terminal: bool, no_color: bool, force: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => !no_color && (force || terminal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_holds_over_the_environment_and_no_over_force() {
        assert!(Colour::Always.decide(false, true, false));
        assert!(!Colour::Never.decide(true, false, true));
        assert!(Colour::Auto.decide(true, false, false));
        assert!(!Colour::Auto.decide(false, false, false));
        assert!(Colour::Auto.decide(false, false, true));
        assert!(!Colour::Auto.decide(true, true, true));
    }
}
