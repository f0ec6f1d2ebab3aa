//! Formulas: LaTeX between `$` becomes MathML at build time, so a reader loads nothing.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use pulldown_latex::config::{DisplayMode, RenderConfig};

use crate::html;

/// The MathML of a formula, on one line. Fails on LaTeX that can't be set, naming the formula.
pub(crate) fn to_mathml(latex: &str, display: bool) -> Result<String> {
    let storage = pulldown_latex::Storage::new();
    let mut events = Vec::new();
    for event in pulldown_latex::Parser::new(latex, &storage) {
        match event {
            Ok(event) => events.push(Ok::<_, pulldown_latex::ParserError>(event)),
            Err(error) => {
                bail!("the formula `{}` is not LaTeX that can be set: {error}", latex.trim())
            }
        }
    }
    let display_mode = if display { DisplayMode::Block } else { DisplayMode::Inline };
    let config = RenderConfig { display_mode, ..RenderConfig::default() };
    let mut mathml = String::new();
    pulldown_latex::push_mathml(&mut mathml, events.into_iter(), config)
        .with_context(|| format!("the formula `{}` can't be written as MathML", latex.trim()))?;
    // pulldown-latex 0.8 writes the space `\ ` as the letters of its entity.
    let mathml = mathml.replace("<mtext>&amp;nbsp;</mtext>", r#"<mspace width="0.333em"/>"#);
    Ok(hide_from_markdown(&mathml))
}

/// Escapes what Markdown would take for itself in the text between tags, and joins the lines.
fn hide_from_markdown(mathml: &str) -> String {
    let mut hidden = String::with_capacity(mathml.len());
    let mut in_tag = false;
    for c in mathml.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ => {}
        }
        match c {
            '\n' => hidden.push(' '),
            '*' | '_' | '`' | '[' | ']' | '|' | '\\' | '~' | '\'' | '"' | '-' | '$' if !in_tag => {
                hidden.push_str(&format!("&#{};", u32::from(c)));
            }
            _ => hidden.push(c),
        }
    }
    hidden
}

/// What stays on a formula's line.
const STOPS: [char; 7] = ['.', ',', ';', ':', '?', '!', ')'];

/// `markdown` with its formulas as MathML. What stands in code stays.
///
/// A `$` that is no formula's and is not written `\$` is an error: it is a formula gone wrong.
pub(crate) fn render(markdown: &str) -> Result<String> {
    let mut result = String::with_capacity(markdown.len());
    let mut done = 0;
    let mut paragraph: Range<usize> = 0..0;
    let mut in_code = false;
    for (event, range) in Parser::new_ext(markdown, html::markdown_options()).into_offset_iter() {
        let mut end = range.end;
        let formula = match event {
            Event::Start(Tag::Paragraph) => {
                paragraph = range;
                continue;
            }
            Event::Start(Tag::CodeBlock(_)) => {
                in_code = true;
                continue;
            }
            Event::End(TagEnd::CodeBlock) => {
                in_code = false;
                continue;
            }
            Event::Text(_) if !in_code => {
                no_stray_dollar(markdown, range)?;
                continue;
            }
            Event::InlineMath(latex) => {
                // A browser would put the full stop behind a formula on a line of its own.
                let rest = &markdown[end..];
                let stop = &rest[..rest.len() - rest.trim_start_matches(STOPS).len()];
                end += stop.len();
                let formula = to_mathml(&latex, false)?;
                if stop.is_empty() {
                    formula
                } else {
                    format!("<span class=\"whole\">{formula}{stop}</span>")
                }
            }
            Event::DisplayMath(latex) => {
                let alone = markdown[paragraph.clone()].trim() == markdown[range.clone()].trim();
                let tag = if alone { "div" } else { "span" };
                format!("<{tag} class=\"math\">{}</{tag}>", to_mathml(&latex, true)?)
            }
            _ => continue,
        };
        result.push_str(&markdown[done..range.start]);
        result.push_str(&formula);
        done = end;
    }
    result.push_str(&markdown[done..]);
    Ok(result)
}

fn no_stray_dollar(markdown: &str, text: Range<usize>) -> Result<()> {
    for (at, _) in markdown[text.clone()].match_indices('$') {
        if !markdown[..text.start + at].ends_with('\\') {
            bail!(
                "the `$` in `{}` begins no formula; close it, balance its braces, and leave no space \
                 behind the first `$` or before the last; or write `\\$` for a dollar",
                html::extract(&markdown[text.start + at..])
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_mathml_and_code_stays() -> Result<()> {
        let page =
            render("Divide by $\\sqrt{d_k}$, not by `$x$`.\n\n```sh\necho $HOME $PATH\n```\n")?;
        assert!(page.starts_with("Divide by <span class=\"whole\"><math"));
        assert!(page.contains("</math>,</span> not by"));
        assert!(page.contains("<msqrt>"));
        assert!(page.contains("not by `$x$`.") && page.contains("echo $HOME $PATH"));
        Ok(())
    }

    #[test]
    fn a_space_is_a_space() -> Result<()> {
        let page = render("$a\\ b$")?;
        assert!(page.contains("<mspace") && !page.contains("nbsp"), "{page}");
        Ok(())
    }

    #[test]
    fn a_display_formula_is_one_block_on_one_line() -> Result<()> {
        let page = render(
            "Before.\n\n$$\nA = \\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}\n$$\n\nAfter.\n",
        )?;
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!((lines[0], lines[4]), ("Before.", "After."));
        assert!(
            lines[2].starts_with("<div class=\"math\"><math display=\"block\"")
                && lines[2].ends_with("</div>"),
            "{}",
            lines[2]
        );
        assert!(render("So $$x$$ holds.")?.contains("So <span class=\"math\">"));
        Ok(())
    }

    #[test]
    fn markdown_finds_nothing_in_a_formula() -> Result<()> {
        let page =
            render("| a |\n|---|\n| $x^* \\text{a_b \"c\" d--e} \\|v\\| [1]$ and $y^*$ |\n")?;
        let text: String = {
            let mut in_tag = false;
            page.chars()
                .filter(|c| {
                    in_tag = (in_tag || *c == '<') && *c != '>';
                    !in_tag
                })
                .collect()
        };
        let row = text.lines().nth(2).unwrap_or_default().trim_matches('|');
        assert!(!row.contains(['*', '_', '[', '|', '"']), "{row}");
        Ok(())
    }

    #[test]
    fn bad_latex_is_an_error_that_shows_it() {
        let bad = [
            "\\frac{1}",
            "\\nosuchcommand",
            "\\left( x",
            "x^^2",
            "\\begin{matrix}",
            "\\sqrt{\\frac}",
        ];
        for latex in bad {
            let error =
                render(&format!("a $x$ $${latex}$$")).map(|_| latex).expect_err("must fail");
            assert!(error.to_string().contains(&format!("the formula `{latex}`")), "{error}");
        }
    }

    #[test]
    fn a_dollar_that_is_no_formula_is_an_error() {
        for text in ["for $5", "a $\\frac{1$ b", "a $ x$ b", "| $x | y |\n|--|--|\n| y$ | z |"] {
            let error = render(text).map(|_| text).expect_err("must fail").to_string();
            assert!(error.contains("begins no formula"), "{error}");
        }
        assert!(render("for \\$5 and `$x`\n\n    $code\n").is_ok());
    }
}
