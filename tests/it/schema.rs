//! Holds answers against the service's OpenAPI document: route, status, type and body.
//!
//! Must not: know what an answer should say.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::client::Reply;

/// The document, as the service gives it.
pub static API: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(koekake::http::openapi::document()).unwrap());

struct Answer {
    content_type: String,
    /// None where the body is no JSON.
    validator: Option<Validator>,
}

type Answers = BTreeMap<(String, String, u16), Option<Answer>>;

/// By method, path template and status; `None` where no body is documented.
static ANSWERS: LazyLock<Answers> = LazyLock::new(|| {
    let mut answers = Answers::new();
    for (path, methods) in API["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let pointer = format!(
                    "/paths/{}/{method}/responses/{status}",
                    path.replace('~', "~0").replace('/', "~1")
                );
                let key = (method.to_uppercase(), path.clone(), status.parse().unwrap());
                answers.insert(key, answer(&pointer, response));
            }
        }
    }
    answers
});

static PROBLEM: LazyLock<Validator> = LazyLock::new(|| validator("/components/schemas/Problem"));

fn answer(pointer: &str, response: &Value) -> Option<Answer> {
    let (content_type, content) = response["content"].as_object()?.iter().next()?;
    let is_json = content_type.ends_with("json") && content.get("schema").is_some();
    let content_type = content_type.clone();
    let escaped = content_type.replace('/', "~1");
    let validator = is_json.then(|| validator(&format!("{pointer}/content/{escaped}/schema")));
    Some(Answer { content_type, validator })
}

fn validator(pointer: &str) -> Validator {
    let mut schema = API.clone();
    let encoded = pointer.replace('{', "%7B").replace('}', "%7D");
    schema["$ref"] = json!(format!("#{encoded}"));
    jsonschema::draft202012::new(&schema).unwrap()
}

/// The documented path that a request's path is of.
fn template(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap();
    let paths = API["paths"].as_object().unwrap();
    paths.keys().map(String::as_str).find(|template| {
        let parts = template.split('/').zip(path.split('/'));
        template.split('/').count() == path.split('/').count()
            && parts.into_iter().all(|(a, b)| a == b || a.starts_with('{') && !b.is_empty())
    })
}

/// Panics where an answer is not what the document says.
pub fn check(method: &str, path: &str, reply: &Reply) {
    let what = format!("{method} {path} → {} {}", reply.status, reply.text());
    assert!(reply.status < 500 || reply.status == 503, "{what}");
    let is_problem = reply.header("content-type") == Some("application/problem+json");
    if reply.status >= 400 && method != "OPTIONS" {
        assert!(is_problem, "no problem+json: {what}");
    }
    if is_problem && method != "HEAD" {
        let problem = reply.json();
        PROBLEM.validate(&problem).unwrap_or_else(|error| panic!("{error}: {what}"));
        assert_eq!(problem["status"], reply.status, "{what}");
    }
    if matches!(reply.status, 429 | 503) {
        assert!(reply.header("retry-after").is_some(), "no Retry-After: {what}");
    }
    let documented = if method == "HEAD" { "GET" } else { method };
    let Some(template) = template(path) else {
        assert_eq!(reply.status, 404, "an undocumented route answered: {what}");
        return;
    };
    // What methods there are says the document itself; a preflight is the browser's own.
    if matches!(reply.status, 405) || method == "OPTIONS" {
        return;
    }
    let key = (documented.to_owned(), template.to_owned(), reply.status);
    let Some(answer) = ANSWERS.get(&key) else { panic!("an undocumented status: {what}") };
    let Some(answer) = answer else {
        assert!(reply.body.is_empty(), "an undocumented body: {what}");
        return;
    };
    let sent = reply.header("content-type").unwrap_or_default();
    assert!(
        sent.starts_with(&answer.content_type),
        "documented as {}: {what}",
        answer.content_type
    );
    if let (Some(validator), true) = (&answer.validator, method != "HEAD") {
        validator.validate(&reply.json()).unwrap_or_else(|error| panic!("{error}: {what}"));
    }
}
