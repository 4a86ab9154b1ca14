//! Requests to an apply that is at work.

use super::parse;
use crate::Request;
use serde::{Deserialize, Serialize};
use wharf_model::Timestamp;

/// Fields that a later version adds are passed over.
#[derive(Serialize, Deserialize)]
struct RequestV1 {
    format: String,
    service: String,
    wish: String,
    by: String,
    at_ms: u64,
}

const REQUEST: &str = "wharf.request/1";

pub(in crate::format) fn print_request(request: &Request) -> String {
    let Request { service, wish, by, at } = request.clone();
    let request = RequestV1 { format: REQUEST.to_owned(), service: service.to_string(), wish, by, at_ms: at.0 };
    serde_json::to_string(&request).expect("strings and numbers become JSON")
}

pub(in crate::format) fn read_request(text: &str) -> Result<Request, String> {
    let request: RequestV1 = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let RequestV1 { format, service, wish, by, at_ms } = request;
    if format != REQUEST {
        return Err(format!("it has format {format}"));
    }
    Ok(Request { service: parse(&service)?, wish, by, at: Timestamp(at_ms) })
}
