//! Which bracket or quotation mark of a text is not closed.
//!
//! Must not: say what that means.

/// The innermost bracket or quotation mark open at the end of a text. Those within plain text and
/// comments do not count.
pub(super) fn open_at(text: &str) -> Option<(usize, char)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut quote: Option<(usize, char)> = None;
    // Whether a value may begin here.
    let mut is_fresh = true;
    let mut before = '\n';
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if let Some((_, mark)) = quote {
            match c {
                '\\' if mark == '"' => {
                    chars.next();
                }
                '\'' if mark == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                    chars.next();
                }
                _ if c == mark => quote = None,
                _ => {}
            }
            before = c;
            continue;
        }
        let is_blank = before.is_whitespace();
        match c {
            '#' if is_blank => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            '"' | '\'' if is_fresh => {
                quote = Some((at, c));
                is_fresh = false;
            }
            '[' | '{' if is_fresh || !open.is_empty() => {
                open.push((at, c));
                is_fresh = true;
            }
            ']' | '}' => {
                open.pop();
                is_fresh = false;
            }
            ',' if !open.is_empty() => is_fresh = true,
            '\n' | ':' | '-' => is_fresh = true,
            c if c.is_whitespace() => {}
            _ => is_fresh = false,
        }
        before = c;
    }
    quote.or(open.pop())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open() {
        for (text, open) in [
            ("a: [b, c", Some((3, '['))),
            ("a: [b, c]", None),
            ("a: { b: [c] ", Some((3, '{'))),
            ("a: \"b [c", Some((3, '"'))),
            ("a: 'it''s", Some((3, '\''))),
            ("a: it's [fine] here", None),
            ("a: b # [comment", None),
            ("- \"b\\\" [", Some((2, '"'))),
        ] {
            assert_eq!(open_at(text), open, "{text}");
        }
    }
}
