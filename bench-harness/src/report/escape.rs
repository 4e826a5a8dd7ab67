//! Text from data inside a page.

/// For element content and quoted attributes.
pub(super) fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for character in raw.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

/// JSON inside a `<script>` element. A `<` occurs only within JSON's strings, where its escape means the same, so the
/// value stays what it was and neither `</script` nor `<!--` can end or bend the element.
pub(super) fn json(raw: &str) -> String {
    raw.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_stays_text() {
        assert_eq!(text("<b a=\"1\" c='2'>&"), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;");
    }

    #[test]
    fn json_keeps_its_value() {
        let raw = r#"{"a":"</script><!--"}"#;
        let escaped = json(raw);
        assert!(!escaped.contains('<'));
        let parse = |text| serde_json::from_str::<serde_json::Value>(text).expect("valid JSON");
        assert_eq!(parse(&escaped), parse(raw));
    }
}
