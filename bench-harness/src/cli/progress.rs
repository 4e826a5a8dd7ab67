//! Progress on standard error: a bar on a terminal, plain lines elsewhere.

#![forbid(unsafe_code)]

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::runner::Progress;

/// The kind that suits where standard error goes.
pub(super) fn new(colour: bool) -> Box<dyn Progress> {
    if std::io::stderr().is_terminal() { Box::new(Bar::new(colour)) } else { Box::new(Lines) }
}

struct Bar(ProgressBar);

impl Bar {
    fn new(colour: bool) -> Self {
        // Five times a second is enough to watch and takes little from the cells.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(5));
        let template = if colour {
            "{elapsed_precise} {bar:30.cyan} {pos}/{len} {msg}"
        } else {
            "{elapsed_precise} {bar:30} {pos}/{len} {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        Self(bar)
    }
}

impl Progress for Bar {
    fn say(&mut self, sentence: &str) {
        self.0.println(format!("  {sentence}"));
    }

    fn expect(&mut self, cells: usize) {
        self.0.inc_length(cells as u64);
    }

    fn cell(&mut self, name: &str) {
        self.0.set_message(name.to_owned());
    }

    fn done(&mut self) {
        self.0.inc(1);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

struct Lines;

impl Progress for Lines {
    fn say(&mut self, sentence: &str) {
        eprintln!("  {sentence}");
    }

    fn expect(&mut self, _cells: usize) {}

    fn cell(&mut self, _name: &str) {}

    fn done(&mut self) {}
}
