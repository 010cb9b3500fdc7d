//! Charts as SVG, drawn for the report's page.
//!
//! Must not: let any text in unescaped.

use std::fmt::Write;

use super::text::{grouped, percent};

/// Text as it may stand in HTML and SVG, also within quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[expect(clippy::cast_precision_loss, reason = "lengths on paper")]
fn length(value: u64, most: u64, room: f64) -> f64 {
    if most == 0 { 0.0 } else { value as f64 / most as f64 * room }
}

/// Two rows of columns over the hours of day: prompts above, page views below.
pub(super) fn hours(prompts: &[u64], views: &[u64]) -> String {
    const STEP: f64 = 30.0;
    let most_prompts = prompts.iter().copied().max().unwrap_or(0);
    let most_views = views.iter().copied().max().unwrap_or(0);
    let mut svg = String::from(
        "<svg viewBox=\"0 0 740 250\" role=\"img\" aria-label=\"Prompts and page views by hour\">",
    );
    let mut x = 10.0;
    for (hour, (prompts, views)) in prompts.iter().zip(views).enumerate() {
        let high = length(*prompts, most_prompts, 120.0);
        let low = length(*views, most_views, 60.0);
        let (top, middle) = (140.0 - high, x + 11.0);
        let (told_prompts, told_views) = (grouped(*prompts), grouped(*views));
        let _ = write!(
            svg,
            "<g><title>{hour:02}:00 — {told_prompts} prompts, {told_views} page views</title>\
             <rect class=\"c1\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"22\" height=\"{high:.1}\" rx=\"3\"/>\
             <rect class=\"c0\" x=\"{x:.1}\" y=\"164\" width=\"22\" height=\"{low:.1}\" rx=\"3\"/>\
             <text x=\"{middle:.1}\" y=\"156\" class=\"tick\" text-anchor=\"middle\">{hour:02}</text></g>"
        );
        x += STEP;
    }
    svg.push_str(
        "<text x=\"10\" y=\"244\" class=\"tick\">above: prompts · below: page views</text></svg>",
    );
    svg
}

/// Bars with a name and a number each.
pub(super) fn bars(rows: &[(String, u64)]) -> String {
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let mut html = String::from("<div class=\"bars\">");
    for (name, count) in rows {
        let width = length(*count, most, 100.0);
        let (name, told) = (escaped(name), grouped(*count));
        let _ = write!(
            html,
            "<span class=\"name\" title=\"{name}\">{name}</span>\
             <span class=\"track\"><i style=\"width:{width:.1}%\"></i></span>\
             <span class=\"count\">{told}</span>"
        );
    }
    html.push_str("</div>");
    html
}

/// One bar in parts, with what each part is.
pub(super) fn parts(rows: &[(String, u64)]) -> String {
    let total: u64 = rows.iter().map(|(_, count)| count).sum();
    let mut bar = String::from("<div class=\"parts\">");
    let mut legend = String::from("<ul class=\"legend\">");
    for (place, (name, count)) in rows.iter().enumerate() {
        let width = length(*count, total, 100.0);
        let (name, told) = (escaped(name), percent(*count, total));
        let colour = place.min(5) + 1;
        let _ = write!(
            bar,
            "<i class=\"p{colour}\" style=\"width:{width:.2}%\" title=\"{name}: {told}\"></i>"
        );
        let _ = write!(legend, "<li><b class=\"p{colour}\"></b>{name} <em>{told}</em></li>");
    }
    bar.push_str("</div>");
    legend.push_str("</ul>");
    bar + &legend
}

/// A small histogram of how near sessions came.
pub(super) fn nearness(reached: &[u64]) -> String {
    let most = reached.iter().copied().max().unwrap_or(0);
    let mut svg = String::from(
        "<svg class=\"near\" viewBox=\"0 0 164 40\" role=\"img\" aria-label=\"How near they came\">",
    );
    let mut x = 2.0;
    for (place, count) in reached.iter().enumerate() {
        let high = length(*count, most, 34.0).max(1.0);
        let top = 38.0 - high;
        let (from, until, told) = (place * 10, place * 10 + 10, grouped(*count));
        let _ = write!(
            svg,
            "<rect class=\"c2\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"13\" height=\"{high:.1}\" rx=\"2\">\
             <title>{told} sessions came {from} to {until}% of the way</title></rect>"
        );
        x += 16.0;
    }
    svg.push_str("</svg>");
    svg
}
