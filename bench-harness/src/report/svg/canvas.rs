//! A drawing in the making.

use std::fmt::Write;

use crate::report::escape;

/// Writing to a `String` cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => { let _ = write!($out, $($arg)*); };
}

pub(super) struct Canvas {
    body: String,
    width: f64,
    height: f64,
}

/// Which end of a text its place is.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        put!(
            self.body,
            "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            short(x1),
            short(y1),
            short(x2),
            short(y2)
        );
    }

    pub(super) fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        put!(
            self.body,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            short(x),
            short(y),
            short(width.max(0.0)),
            short(height)
        );
    }

    pub(super) fn circle(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        put!(
            self.body,
            "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>",
            short(x),
            short(y),
            short(radius)
        );
    }

    /// A path through `points`, closed or open.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)], closed: bool) {
        put!(self.body, "<path class=\"{class}\" d=\"");
        for (index, (x, y)) in points.iter().enumerate() {
            put!(self.body, "{}{} {}", if index == 0 { "M" } else { "L" }, short(*x), short(*y));
        }
        self.body.push_str(if closed { "Z\"/>" } else { "\"/>" });
    }

    pub(super) fn text(&mut self, class: &str, anchor: Anchor, (x, y): (f64, f64), text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        put!(
            self.body,
            "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{}\" y=\"{}\">{}</text>",
            short(x),
            short(y),
            escape::text(text)
        );
    }

    /// Opens the group of a strategy, which `close` ends.
    pub(super) fn strategy(&mut self, number: usize, classes: &str, tip: &str) {
        put!(self.body, "<g class=\"s {classes}\" data-s=\"{number}\" data-tip=\"{}\">", escape::text(tip));
    }

    pub(super) fn close(&mut self) {
        self.body.push_str("</g>");
    }

    /// The element, described by `label` to readers who do not see it. `attributes` are added as they are.
    pub(super) fn finish(self, class: &str, label: &str, attributes: &str) -> String {
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\"{attributes}>{}</svg>",
            short(self.width),
            short(self.height),
            escape::text(label),
            self.body
        )
    }
}

/// A tenth of a unit is finer than any screen shows.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}
