//! `session.visited`: the pages seen in this session. One that fits suffices.

use std::sync::Arc;

use super::url::{OPERATORS, UrlTest, VALUES};
use super::{ConditionType, FieldUse, Op, Operand};
use crate::domain::facts::Facts;
use crate::domain::page_url::PageUrl;
use crate::rules::condition::Condition;
use crate::rules::context::Context;
use crate::rules::raw::NodeKind;
use crate::rules::values;

/// `session.visited`.
pub struct VisitedType;

#[derive(Debug)]
struct VisitedCondition {
    tests: Vec<UrlTest>,
    /// These were seen one after the other, with gaps allowed.
    in_order: Vec<UrlTest>,
    /// At least so many different pages fit all of `tests`.
    count: usize,
}

const WITH_LISTS: &[Op] = &{
    let mut all = [Op::Count; OPERATORS.len() + 2];
    let mut i = 0;
    while i < OPERATORS.len() {
        #[expect(clippy::indexing_slicing, reason = "checked by the compiler: it runs there")]
        {
            all[i] = OPERATORS[i];
        }
        i += 1;
    }
    #[expect(clippy::indexing_slicing, reason = "checked by the compiler: it runs there")]
    {
        all[OPERATORS.len()] = Op::InOrder;
    }
    all
};

impl ConditionType for VisitedType {
    fn operators(&self) -> &'static [Op] {
        WITH_LISTS
    }

    fn values(&self) -> &'static str {
        VALUES
    }

    fn compile(
        &self,
        _field: &FieldUse<'_>,
        operands: &[Operand<'_>],
        cx: &mut Context<'_>,
    ) -> Option<Arc<dyn Condition>> {
        let mut condition = VisitedCondition { tests: Vec::new(), in_order: Vec::new(), count: 1 };
        let mut is_whole = true;
        let mut count_at = None;
        for operand in operands {
            match operand.op {
                Op::Count => {
                    count_at = Some(operand.span);
                    let text = cx.text(operand.value, "a whole number of pages")?;
                    match values::count(text).map(usize::try_from) {
                        Ok(Ok(count))
                            if (1..=crate::domain::session::MAX_VISITED).contains(&count) =>
                        {
                            condition.count = count;
                        }
                        _ => {
                            is_whole = false;
                            cx.error(
                                "wrong-type",
                                operand.value.span,
                                format!(
                                    "expected a number of pages from 1 to {}, found `{text}`",
                                    crate::domain::session::MAX_VISITED
                                ),
                            );
                        }
                    }
                }
                Op::InOrder => {
                    let NodeKind::List(items) = &operand.value.kind else {
                        cx.wrong_type(operand.value, "a list of pages like [/pricing, /cart]");
                        return None;
                    };
                    for item in items {
                        let one = Operand { op: Op::Is, span: item.span, value: item };
                        match UrlTest::compile(&one, cx) {
                            Some(test) => condition.in_order.push(test),
                            None => is_whole = false,
                        }
                    }
                    if condition.in_order.len() < 2 {
                        is_whole = false;
                        cx.error(
                            "wrong-type",
                            operand.value.span,
                            "`in_order` takes two pages or more",
                        );
                    }
                }
                _ => match UrlTest::compile(operand, cx) {
                    Some(test) => condition.tests.push(test),
                    None => is_whole = false,
                },
            }
        }
        if let Some(span) = count_at {
            if condition.tests.is_empty() {
                cx.error_help(
                    "count-alone",
                    span,
                    "`count` stands alone",
                    "say which pages: { under: /products, count: 3 }; for any page use session.page_views",
                );
                return None;
            }
            if condition.tests.iter().any(|test| test.is_negative) {
                cx.error_help(
                    "count-negative",
                    span,
                    "`count` cannot count pages that were not seen",
                    "use it beside is, in, under, starts_with, ends_with, contains, matches or regex",
                );
                return None;
            }
        }
        is_whole.then(|| Arc::new(condition) as Arc<dyn Condition>)
    }
}

impl Condition for VisitedCondition {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let visited = &facts.session.visited;
        let each = self
            .tests
            .iter()
            .all(|test| visited.iter().any(|page| test.fits(page)) != test.is_negative);
        each && self.is_count_reached(visited) && self.is_order_kept(visited)
    }

    fn actual(&self, facts: &Facts<'_>) -> Option<String> {
        let visited = &facts.session.visited;
        if visited.is_empty() {
            return None;
        }
        let newest: Vec<_> = visited.iter().rev().take(5).rev().map(PageUrl::path).collect();
        let more = visited.len().saturating_sub(newest.len());
        let lead = if more > 0 { format!("{more} more, then ") } else { String::new() };
        Some(format!("{lead}{}", newest.join(", ")))
    }
}

impl VisitedCondition {
    fn is_count_reached(&self, visited: &[PageUrl]) -> bool {
        if self.count <= 1 {
            return true;
        }
        // Pages differ by their path: the same page under another query is the same page.
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for page in visited.iter().filter(|page| self.tests.iter().all(|test| test.fits(page))) {
            let page = (page.origin(), page.path());
            if !seen.contains(&page) {
                seen.push(page);
            }
        }
        seen.len() >= self.count
    }

    fn is_order_kept(&self, visited: &[PageUrl]) -> bool {
        let mut wanted = self.in_order.iter();
        let mut next = wanted.next();
        for page in visited {
            match next {
                None => return true,
                Some(test) if test.fits(page) => next = wanted.next(),
                Some(_) => {}
            }
        }
        next.is_none()
    }
}
