//! A paragraph of Markdown inside HTML, where Markdown is not read.

use anyhow::Result;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::html::{Reader, escape, markdown_options};
use crate::math;

/// One paragraph of Markdown as HTML on one line, without the `<p>` around it.
pub(crate) fn inline(markdown: &str, reader: Reader) -> Result<String> {
    let options = markdown_options() | Options::ENABLE_SMART_PUNCTUATION;
    let mut events = Vec::new();
    for event in Parser::new_ext(markdown, options) {
        events.push(match event {
            Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) => continue,
            Event::SoftBreak | Event::HardBreak => Event::Text(" ".into()),
            Event::InlineMath(latex) if reader == Reader::Page => {
                Event::InlineHtml(math::to_mathml(&latex, false)?.into())
            }
            Event::DisplayMath(latex) if reader == Reader::Page => {
                Event::InlineHtml(math::to_mathml(&latex, true)?.into())
            }
            Event::InlineMath(latex) => Event::InlineHtml(format!("${}$", escape(&latex)).into()),
            Event::DisplayMath(latex) => {
                Event::InlineHtml(format!("$${}$$", escape(&latex)).into())
            }
            event => event,
        });
    }
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events.into_iter());
    Ok(html.replace('\n', " ").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_is_one_line_of_html() -> Result<()> {
        assert_eq!(
            inline("a *b* `c<d`\n$x_1$", Reader::Notebook)?,
            "a <em>b</em> <code>c&lt;d</code> $x_1$"
        );
        assert!(inline("$x$", Reader::Page)?.starts_with("<math"));
        Ok(())
    }
}
