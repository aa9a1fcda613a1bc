//! Builds the HTML page section by section. All text is escaped, and the page is also well-formed XML.

use std::fmt::Write as _;

use crate::chart::Picture;
use crate::chart::style::{page_rules, variables};
use crate::chart::svg::escape;

/// The page's own style rules; the charts' rules follow them.
const STYLE: &str = include_str!("style.css");

/// The numbers behind a picture: its name, and a table as CSV.
pub(crate) type Numbers = (String, Vec<u8>);

/// The page so far.
#[derive(Default)]
pub(crate) struct Page {
    body: String,
    contents: Vec<(String, String)>,
    pictures: Vec<Picture>,
    numbers: Vec<Numbers>,
    tables: usize,
}

/// A finished page, its pictures, and the numbers behind them.
pub(super) struct Finished {
    pub(super) text: String,
    pub(super) pictures: Vec<Picture>,
    pub(super) numbers: Vec<Numbers>,
}

// Writing into a String cannot fail.
macro_rules! put {
    ($page:expr, $($part:tt)*) => { { let _ = write!($page.body, $($part)*); } };
}

impl Page {
    /// Begins a section and ends the previous one.
    pub(crate) fn section(&mut self, id: &str, title: &str) {
        if !self.contents.is_empty() {
            self.body.push_str("</section>\n");
        }
        put!(self, "<section id=\"{id}\">\n<h2>{}</h2>\n", escape(title));
        self.contents.push((id.to_owned(), title.to_owned()));
    }

    pub(crate) fn heading(&mut self, title: &str) {
        put!(self, "<h3>{}</h3>\n", escape(title));
    }

    pub(crate) fn paragraph(&mut self, text: &str) {
        put!(self, "<p>{}</p>\n", escape(text));
    }

    /// A remark on missing content, or on how to read the following.
    pub(crate) fn remark(&mut self, text: &str) {
        put!(self, "<p class=\"remark\">{}</p>\n", escape(text));
    }

    pub(crate) fn list<'a>(&mut self, items: impl IntoIterator<Item = &'a str>) {
        self.body.push_str("<ul>\n");
        for item in items {
            put!(self, "<li>{}</li>\n", escape(item));
        }
        self.body.push_str("</ul>\n");
    }

    /// Terms with their values.
    pub(crate) fn facts(&mut self, facts: &[(String, Vec<String>)]) {
        self.body.push_str("<dl>\n");
        for (term, values) in facts {
            put!(self, "<dt>{}</dt>", escape(term));
            for value in values {
                put!(self, "<dd>{}</dd>", escape(value));
            }
            self.body.push('\n');
        }
        self.body.push_str("</dl>\n");
    }

    /// Preformatted text, folded under a summary line.
    pub(crate) fn folded(&mut self, summary: &str, text: &str) {
        put!(self, "<details><summary>{}</summary><pre>{}</pre></details>\n", escape(summary), escape(text));
    }

    /// A picture with a numbered caption.
    pub(crate) fn figure(&mut self, picture: Picture, caption: &str) {
        self.picture(picture, caption, "");
    }

    /// A picture with a numbered caption and a table of its numbers.
    pub(crate) fn figure_with_numbers(&mut self, picture: Picture, caption: &str, csv: Vec<u8>) {
        self.numbers.push((picture.name.clone(), csv));
        let link = format!(" <a href=\"figures/{}.csv\">CSV</a>", escape(&picture.name));
        self.picture(picture, caption, &link);
    }

    fn picture(&mut self, picture: Picture, caption: &str, numbers: &str) {
        let (name, number) = (escape(&picture.name), self.pictures.len() + 1);
        let png = if cfg!(feature = "png") {
            format!(" <a href=\"figures/{name}.png\">PNG</a>")
        } else {
            String::new()
        };
        put!(
            self,
            "<figure id=\"figure-{name}\">\n<div class=\"picture\">{}</div>\n<figcaption><b>Figure {number}.</b> {} \
             <span class=\"files\"><a href=\"figures/{name}.svg\">SVG</a>{png}{numbers}</span></figcaption>\n</figure>\n",
            picture.inline(),
            escape(caption)
        );
        self.pictures.push(picture);
    }

    /// A table in its own scrolling box, with notes below it. `em` is its approximate width in units of the font size.
    pub(crate) fn table(&mut self, caption: &str, em: f64, rows: &str, notes: &[String]) {
        /// Tables wider than this would be too small to read on portrait paper.
        const WIDE: f64 = 75.0;
        self.tables += 1;
        let id = self.tables;
        let wide = if em > WIDE { " wide" } else { "" };
        put!(
            self,
            "<div class=\"sheet{wide}\">\n<p class=\"caption\" id=\"table-{id}\"><b>Table {id}.</b> {}</p>\n\
             <div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"table-{id}\" style=\"--em:{em:.0}\">\n\
             <table aria-labelledby=\"table-{id}\">\n{rows}</table>\n</div>\n",
            escape(caption)
        );
        if !notes.is_empty() {
            self.body.push_str("<ul class=\"notes\">\n");
            for note in notes {
                put!(self, "<li>{}</li>\n", escape(note));
            }
            self.body.push_str("</ul>\n");
        }
        self.body.push_str("</div>\n");
    }

    /// The whole page.
    pub(super) fn finish(mut self, title: &str, headline: &str, lead: &str) -> Finished {
        if !self.contents.is_empty() {
            self.body.push_str("</section>\n");
        }
        let mut contents = String::new();
        for (id, title) in &self.contents {
            let _ = write!(contents, "<li><a href=\"#{id}\">{}</a></li>", escape(title));
        }
        let style = STYLE.replace("/* light */", &variables(false)).replace("/* dark */", &variables(true));
        let text = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n\
             <title>{}</title>\n<style>\n{style}{}\n</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{}</h1>\n\
             <p class=\"lead\">{}</p>\n</header>\n<nav aria-label=\"Contents\"><ul>{contents}</ul></nav>\n{}</main>\n\
             </body>\n</html>\n",
            escape(title),
            page_rules(),
            escape(headline),
            escape(lead),
            self.body
        );
        Finished { text, pictures: self.pictures, numbers: self.numbers }
    }
}
