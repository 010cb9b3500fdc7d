//! The body of `PUT /v1/sites/{site}/agents`: who is on duty.
//!
//! Must not: keep it; the store does, until its time to live is over.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;

use super::fields::{self, MAX_NAME_BYTES, Number, Scalar, name_fault};
use super::json::{self, Obj};
use super::problem::{Faults, Problem, step};
use crate::domain::facts::Agents;
use crate::domain::time::Millis;

/// How long the figures count where no `ttl` is given.
pub const DEFAULT_TTL: Millis = Millis::minutes(2);
/// The longest `ttl`.
pub const MAX_TTL: Millis = Millis::hours(24);
/// The most routes of one site.
pub const MAX_ROUTES: usize = 64;

/// Who is on duty at a site. What is left out is unknown.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AgentsRequest, example = json!({
    "online": 4, "waiting": 1, "capacity": 6, "routes": { "sales": { "online": 2 } }, "ttl": "2m",
}))]
pub struct AgentsBody<'a> {
    /// How many agents are there.
    #[schema(value_type = Option<f64>, minimum = 0)]
    online: Option<Number>,
    /// How many visitors wait for one.
    #[schema(value_type = Option<f64>, minimum = 0)]
    waiting: Option<Number>,
    /// How many more chats they could take now.
    #[schema(value_type = Option<f64>, minimum = 0)]
    capacity: Option<Number>,
    /// The same for single routes, at most 64.
    #[serde(borrow)]
    #[schema(value_type = Option<BTreeMap<String, RouteAgentsBody>>)]
    routes: Option<BTreeMap<Cow<'a, str>, Obj<RouteAgentsBody>>>,
    /// After how long the figures are missing again: `90s`, `2m`, or a number of seconds. At most
    /// 24 hours; left out, two minutes.
    #[serde(borrow)]
    #[schema(schema_with = ttl_schema)]
    ttl: Option<Scalar<'a>>,
}

/// Who is on duty on one route.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = RouteAgents)]
pub struct RouteAgentsBody {
    /// How many agents are there.
    #[schema(value_type = f64, required = true, minimum = 0)]
    online: Option<Number>,
    /// How many visitors wait for one.
    #[schema(value_type = Option<f64>, minimum = 0)]
    waiting: Option<Number>,
    /// How many more chats they could take now.
    #[schema(value_type = Option<f64>, minimum = 0)]
    capacity: Option<Number>,
}

fn ttl_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
    OneOfBuilder::new()
        .item(
            ObjectBuilder::new().schema_type(Type::String).pattern(Some("^([0-9]+(ms|s|m|h|d))?$")),
        )
        .item(ObjectBuilder::new().schema_type(Type::Number))
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .into()
}

/// Figures that were understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedAgents {
    /// Of the whole site.
    pub total: Option<Agents>,
    /// Of single routes.
    pub routes: Vec<(Arc<str>, Agents)>,
    /// For how long they count.
    pub ttl: Millis,
}

/// Reads who is on duty.
///
/// # Errors
/// A 400 with everything that is wrong.
pub fn parse_agents(body: &[u8]) -> Result<ParsedAgents, Problem> {
    let body: AgentsBody<'_> = json::object(json::text(body)?).map_err(Faults::into_problem)?;
    let mut faults = Faults::default();
    let routes = body.routes.unwrap_or_default();
    let total =
        RouteAgentsBody { online: body.online, waiting: body.waiting, capacity: body.capacity };
    let total = if total.online.is_none() && !routes.is_empty() {
        None
    } else {
        total.parse("", &mut faults)
    };
    if routes.len() > MAX_ROUTES {
        faults.add("/routes", format!("may hold at most {MAX_ROUTES} routes"));
    }
    let mut parsed = Vec::with_capacity(routes.len().min(MAX_ROUTES));
    for (name, Obj(agents)) in routes.into_iter().take(MAX_ROUTES) {
        let pointer = step("/routes", &name);
        let fault = if name.is_empty() {
            Some("a route needs a name".to_owned())
        } else {
            name_fault(&name, MAX_NAME_BYTES)
        };
        match fault {
            Some(fault) => faults.add("/routes", format!("a route's name {fault}")),
            None => parsed
                .extend(agents.parse(&pointer, &mut faults).map(|agents| (name.into(), agents))),
        }
    }
    let ttl = ttl(body.ttl, &mut faults);
    if faults.is_empty() {
        Ok(ParsedAgents { total, routes: parsed, ttl })
    } else {
        Err(faults.into_problem())
    }
}

impl RouteAgentsBody {
    fn parse(self, base: &str, faults: &mut Faults) -> Option<Agents> {
        let at = |field: &'static str| move || format!("{base}/{field}");
        if self.online.is_none() {
            faults.add(at("online")(), "is required: how many agents are there");
        }
        let waiting = fields::count(self.waiting, at("waiting"), faults);
        let capacity = fields::count(self.capacity, at("capacity"), faults);
        let online = fields::count(self.online, at("online"), faults)?;
        Some(Agents { online, waiting, capacity })
    }
}

fn ttl(value: Option<Scalar<'_>>, faults: &mut Faults) -> Millis {
    let ttl = match value {
        None => return DEFAULT_TTL,
        Some(Scalar::Text(text)) if text.is_empty() => return DEFAULT_TTL,
        Some(Scalar::Text(text)) => fields::duration(&text),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the cast saturates, and drops fractions"
        )]
        Some(Scalar::Number(seconds)) => Some(Millis((seconds * 1_000.0) as i64)),
    };
    ttl.filter(|ttl| (Millis(1)..=MAX_TTL).contains(ttl)).unwrap_or_else(|| {
        faults.add("/ttl", "must be a length of time such as `90s`, or seconds, up to 24 hours");
        DEFAULT_TTL
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(body: &str) -> String {
        let errors = parse_agents(body.as_bytes()).unwrap_err().errors;
        errors.iter().map(|e| format!("{}: {}; ", e.pointer, e.detail)).collect()
    }

    #[test]
    fn a_whole_body() {
        let body =
            br#"{"online":4,"waiting":1,"capacity":6,"routes":{"sales":{"online":2}},"ttl":"90s"}"#;
        let agents = parse_agents(body).unwrap();
        assert_eq!(agents.total, Some(Agents { online: 4, waiting: Some(1), capacity: Some(6) }));
        assert_eq!(
            agents.routes,
            [("sales".into(), Agents { online: 2, waiting: None, capacity: None })]
        );
        assert_eq!(agents.ttl, Millis::seconds(90));
        assert_eq!(parse_agents(br#"{"online":0,"ttl":1.5}"#).unwrap().ttl, Millis(1_500));
        assert_eq!(parse_agents(br#"{"routes":{"a":{"online":1}}}"#).unwrap().total, None);
    }

    #[test]
    fn what_is_refused_is_pointed_at() {
        assert_eq!(line("{}"), "/online: is required: how many agents are there; ");
        assert_eq!(
            line(r#"{"routes":{"a/b":[]}}"#),
            "/routes/a~1b: must be an object, not sequence; "
        );
        assert_eq!(
            line(r#"{"online":-1,"routes":{"x":{}},"ttl":"never"}"#),
            "/online: must be 0 or more; /routes/x/online: is required: how many agents are there; \
             /ttl: must be a length of time such as `90s`, or seconds, up to 24 hours; "
        );
        for ttl in ["0", "-5", "1e300", "\"25h\""] {
            assert!(line(&format!(r#"{{"online":1,"ttl":{ttl}}}"#)).starts_with("/ttl: must be"));
        }
    }
}
