//! What went wrong, as `application/problem+json` (RFC 9457).
//!
//! Must not: know the web framework; `reply` makes responses of these.

use serde::Serialize;
use utoipa::ToSchema;

/// The most single errors that one problem lists; the rest are counted.
pub const MAX_ERRORS: usize = 32;
/// The longest detail, in characters: a body must not come back whole.
const MAX_DETAIL_CHARS: usize = 300;

/// The kinds of problems, each with its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// 400: the request is not understood.
    BadRequest,
    /// 401: a bearer token is needed, or the one given is unknown.
    Unauthorized,
    /// 403: known, and not allowed.
    Forbidden,
    /// 404: no such route, site or thing.
    NotFound,
    /// 405: the route exists, but not with this method.
    MethodNotAllowed,
    /// 408: the body took too long.
    RequestTimeout,
    /// 413: the body is too long.
    PayloadTooLarge,
    /// 415: a content type or coding that is not taken.
    UnsupportedMediaType,
    /// 429: too many requests from one address.
    TooManyRequests,
    /// 503: not now.
    Unavailable,
    /// Any other status that a library answered with.
    Other(u16),
}

impl ProblemKind {
    /// The HTTP status (RFC 9110).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::TooManyRequests => 429,
            Self::Unavailable => 503,
            Self::Other(status) => status,
        }
    }

    /// The kind that has this status.
    #[must_use]
    pub const fn of(status: u16) -> Self {
        match status {
            400 => Self::BadRequest,
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            413 => Self::PayloadTooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::TooManyRequests,
            503 => Self::Unavailable,
            other => Self::Other(other),
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "Bad Request",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::RequestTimeout => "Request Timeout",
            Self::PayloadTooLarge => "Content Too Large",
            Self::UnsupportedMediaType => "Unsupported Media Type",
            Self::TooManyRequests => "Too Many Requests",
            Self::Unavailable => "Service Unavailable",
            Self::Other(500..) => "Server Error",
            Self::Other(_) => "Request Refused",
        }
    }
}

/// One thing wrong with a body, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where in the body: a JSON pointer (RFC 6901); empty for the body as a whole.
    #[schema(example = "/page/url")]
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

/// An error answer (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.detail.as_deref().unwrap_or(self.kind.title()))]
pub struct Problem {
    /// What kind of problem.
    pub kind: ProblemKind,
    /// What is wrong, for people.
    pub detail: Option<String>,
    /// Where in the body, as far as it is the body's fault.
    pub errors: Vec<FieldError>,
    /// After how many seconds it is worth trying again (`Retry-After`).
    pub retry_after: Option<u32>,
    /// Methods that the route takes (`Allow`).
    pub allow: Option<&'static str>,
}

/// The JSON of a [`Problem`].
#[derive(Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "about:blank", "title": "Bad Request", "status": 400,
    "detail": "1 field is not understood",
    "errors": [{ "pointer": "/page/url", "detail": "is required" }],
}))]
pub struct ProblemBody<'a> {
    /// Always `about:blank`: the status says it all.
    #[serde(rename = "type")]
    type_uri: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// Each thing wrong with the body.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<FieldError>, required = false)]
    errors: &'a [FieldError],
}

impl Problem {
    /// A problem of that kind.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: Some(detail.into()),
            errors: Vec::new(),
            retry_after: None,
            allow: None,
        }
    }

    /// 400 for one place in the body.
    #[must_use]
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut faults = Faults::default();
        faults.add(pointer, detail);
        faults.into_problem()
    }

    /// 403 for an origin that the site does not list.
    #[must_use]
    pub fn origin_not_allowed() -> Self {
        Self::new(
            ProblemKind::Forbidden,
            "This origin is not among the site's `origins`; add it to the site's site.yaml",
        )
    }

    /// 403: `client` is only for callers with the site's server key.
    #[must_use]
    pub fn client_needs_server_key() -> Self {
        let mut problem = Self::new(
            ProblemKind::Forbidden,
            "`client` needs the site's server key as a bearer token",
        );
        problem.errors.push(FieldError {
            pointer: "/client".to_owned(),
            detail: "may only be sent with the site's server key".to_owned(),
        });
        problem
    }

    /// 404 for a site that is not served.
    #[must_use]
    pub fn unknown_site() -> Self {
        let mut problem = Self::new(ProblemKind::NotFound, "No site has this key");
        problem.errors.push(FieldError {
            pointer: "/site".to_owned(),
            detail: "must be the name of a folder below the rules folder".to_owned(),
        });
        problem
    }

    /// 503, worth another try after so many seconds.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>, retry_after: u32) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(ProblemKind::Unavailable, detail) }
    }

    /// 429, worth another try after so many seconds.
    #[must_use]
    pub fn too_many_requests(retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(ProblemKind::TooManyRequests, "Too many requests from this address")
        }
    }

    /// The problem as JSON text.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let body = ProblemBody {
            type_uri: "about:blank",
            title: self.kind.title(),
            status: self.kind.status(),
            detail: self.detail.as_deref(),
            errors: &self.errors,
        };
        // Text and numbers always become JSON.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

/// Collects everything that is wrong with one body.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<FieldError>,
    more: usize,
}

impl Faults {
    /// Notes something wrong. Beyond [`MAX_ERRORS`] it is only counted.
    pub fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        if self.list.len() >= MAX_ERRORS {
            self.more += 1;
            return;
        }
        let mut detail = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL_CHARS) {
            detail.truncate(end);
            detail.push('…');
        }
        self.list.push(FieldError { pointer: pointer.into(), detail });
    }

    /// Whether nothing was wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds what was found elsewhere.
    pub fn append(&mut self, other: Self) {
        self.more += other.more;
        for FieldError { pointer, detail } in other.list {
            self.add(pointer, detail);
        }
    }

    /// All of it as a 400.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        let detail = match self.list.len() + self.more {
            1 => "1 field is not understood".to_owned(),
            n => format!("{n} fields are not understood"),
        };
        Problem { errors: self.list, ..Problem::new(ProblemKind::BadRequest, detail) }
    }

    /// All of it in one line.
    #[must_use]
    pub fn into_line(self) -> String {
        let mut line = String::new();
        for FieldError { pointer, detail } in &self.list {
            if !line.is_empty() {
                line.push_str("; ");
            }
            if !pointer.is_empty() {
                line.push_str(pointer);
                line.push_str(": ");
            }
            line.push_str(detail);
        }
        line
    }
}

/// Appends one step to a JSON pointer, escaped (RFC 6901 §3).
#[must_use]
pub fn step(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}
