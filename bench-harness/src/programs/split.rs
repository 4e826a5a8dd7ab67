//! Words of a command, as a POSIX shell divides them where no expansion takes place (*Shell Command Language*, 2.2).

#![forbid(unsafe_code)]

/// What the shell would do something else with than the reader may expect, when it is not quoted.
const SHELL: &str = "|&;<>()$`*?";

/// The words of a command without a shell.
///
/// # Errors
/// Where a quote is left open, or where only a shell could carry the command out.
pub(super) fn words(command: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = command.chars();
    while let Some(character) = rest.next() {
        match character {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => quoted(&mut rest, word.get_or_insert_default(), '\'')?,
            '"' => quoted(&mut rest, word.get_or_insert_default(), '"')?,
            '\\' => word.get_or_insert_default().push(rest.next().ok_or("it ends in a backslash")?),
            _ if SHELL.contains(character) => {
                return Err(format!("`{character}` needs a shell: quote it, or write sh -c '...'"));
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Adds what stands up to the closing quote.
fn quoted(rest: &mut std::str::Chars<'_>, word: &mut String, quote: char) -> Result<(), String> {
    loop {
        match rest.next().ok_or("a quote is not closed")? {
            character if character == quote => return Ok(()),
            '\\' if quote == '"' => {
                let next = rest.next().ok_or("a quote is not closed")?;
                if !"\"\\$`".contains(next) {
                    word.push('\\');
                }
                word.push(next);
            }
            character => word.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_divided_as_a_shell_does() {
        let cases: [(&str, &[&str]); 8] = [
            ("a b  c", &["a", "b", "c"]),
            ("", &[]),
            ("python3 -c 'print(\"x y\")'", &["python3", "-c", "print(\"x y\")"]),
            ("a\"b c\"d'e f'", &["ab cde f"]),
            ("'' x", &["", "x"]),
            (r#""a\"b\\c\n""#, &[r#"a"b\c\n"#]),
            (r"a\ b \\", &["a b", "\\"]),
            ("sh -c 'a | b > c'", &["sh", "-c", "a | b > c"]),
        ];
        for (command, expected) in cases {
            assert_eq!(words(command).unwrap(), expected, "{command}");
        }
    }

    #[test]
    fn what_needs_a_shell_is_refused() {
        assert_eq!(words("a | b").unwrap_err(), "`|` needs a shell: quote it, or write sh -c '...'");
        assert_eq!(words("a \"b").unwrap_err(), "a quote is not closed");
        assert_eq!(words("a\\").unwrap_err(), "it ends in a backslash");
    }
}
