//! Names in double braces, replaced.

/// Replaces every `{{name}}` of `template` by its value, in one pass: braces in a value are left alone.
///
/// # Panics
///
/// If the template names a field that is not there, which a test of the one template finds.
pub(super) fn fill(template: &str, fields: &[(&str, String)]) -> String {
    let mut out =
        String::with_capacity(template.len() + fields.iter().map(|(_, value)| value.len()).sum::<usize>());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").expect("an opened field of the template is closed");
        let value = fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str());
        out.push_str(before);
        out.push_str(value.expect("the template names a field that is filled"));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_searched() {
        let fields = [("a", "{{b}}".to_owned()), ("b", "x".to_owned())];
        assert_eq!(fill("<{{a}}|{{b}}>", &fields), "<{{b}}|x>");
    }
}
