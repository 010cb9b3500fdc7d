//! Reads a request's body: of a type that is taken, not too long, not for ever.
//!
//! Must not: look at what is in it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::body::{BodyStream, MessageBody};
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut, Payload};

use super::wire::problem::{Problem, ProblemKind};

/// The longest body of a decide or explain call, in bytes.
pub const DECIDE_LIMIT: usize = 64 * 1024;
/// The longest body of events, in bytes.
pub const EVENTS_LIMIT: usize = 256 * 1024;
/// How long a body may take to arrive.
pub const ARRIVAL_LIMIT: Duration = Duration::from_secs(10);

/// Reads a JSON body of at most `limit` bytes.
///
/// JSON may come as `application/json`, as `text/plain` (a browser then sends no preflight), or
/// without a type.
///
/// # Errors
/// 415 for another type or any content coding, 413 beyond the limit, 408 where it takes longer
/// than [`ARRIVAL_LIMIT`], 400 where the connection breaks.
pub async fn read(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    check_type(request)?;
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_long(limit));
    }
    arrive(BodyStream::new(payload), limit, ARRIVAL_LIMIT).await
}

async fn arrive<B: MessageBody>(
    body: B,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, Problem> {
    let mut reading = pin!(collect(body, limit));
    // Nearly every body is there with its head: no timer for those.
    if let Poll::Ready(body) = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
        return body;
    }
    match tokio::time::timeout(patience, reading).await {
        Ok(body) => body,
        Err(_) => Err(Problem::new(
            ProblemKind::RequestTimeout,
            format!("The body did not arrive within {} seconds", patience.as_secs()),
        )),
    }
}

async fn collect<B: MessageBody>(body: B, limit: usize) -> Result<Bytes, Problem> {
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(chunk) = next(body.as_mut()).await {
        let chunk = chunk.map_err(|_| {
            Problem::new(ProblemKind::BadRequest, "The body broke off before its end")
        })?;
        if first.len() + all.len() + chunk.len() > limit {
            return Err(too_long(limit));
        }
        if first.is_empty() && all.is_empty() {
            first = chunk;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&chunk);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

async fn next<B: MessageBody>(mut body: Pin<&mut B>) -> Option<Result<Bytes, B::Error>> {
    poll_fn(|cx| body.as_mut().poll_next(cx)).await
}

fn too_long(limit: usize) -> Problem {
    Problem::new(
        ProblemKind::PayloadTooLarge,
        format!("The body may be at most {} KiB long", limit / 1024),
    )
}

fn check_type(request: &HttpRequest) -> Result<(), Problem> {
    let headers = request.headers();
    let is_coded = headers
        .get_all(CONTENT_ENCODING)
        .any(|coding| !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"));
    if is_coded {
        return Err(Problem::new(
            ProblemKind::UnsupportedMediaType,
            "Send the body as it is: no Content-Encoding is taken",
        ));
    }
    let Some(content_type) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = content_type.as_bytes().split(|b| *b == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json")
        || essence.eq_ignore_ascii_case(b"text/plain")
    {
        Ok(())
    } else {
        Err(Problem::new(
            ProblemKind::UnsupportedMediaType,
            "Send JSON, with Content-Type: application/json or text/plain",
        ))
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
