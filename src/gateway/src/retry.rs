//! What to do when a request got no answer from an endpoint: the one place that says when it may be sent again.
//!
//! A request is never sent twice unless the first sending can't have had an effect. A plain function.

use hyper::Method;

/// How far the request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// No connection was made.
    NoConnection,
    /// There was a connection, but it closed before anything was sent.
    NothingSent,
    /// It was sent, at least in part, and the connection closed before any byte of an answer.
    Sent,
}

/// One failed attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) reached: Reached,
    /// The connection had served another request before, so the instance may have closed it for being idle.
    pub(crate) reused: bool,
    /// The request can be sent twice without harm, and all of it is still there.
    pub(crate) repeatable: bool,
    /// An attempt before this one failed to connect.
    pub(crate) retried: bool,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The same endpoint again, on a new connection.
    FreshConnection,
    /// Whichever endpoint is ready; this one is passed over for a moment.
    OtherEndpoint,
    /// Nothing was sent and nobody takes it: the caller may safely try again.
    CannotConnect,
    /// It may have had an effect: only the caller knows whether to try again.
    ConnectionLost,
}

impl Attempt {
    pub(crate) fn next(self) -> Next {
        match self.reached {
            // A connection closed for being idle says nothing about the endpoint.
            Reached::NothingSent if self.reused => Next::FreshConnection,
            Reached::Sent if self.reused && self.repeatable => Next::FreshConnection,
            Reached::Sent => Next::ConnectionLost,
            Reached::NoConnection | Reached::NothingSent if self.retried => Next::CannotConnect,
            Reached::NoConnection | Reached::NothingSent => Next::OtherEndpoint,
        }
    }
}

/// Whether a request may be sent again after its connection broke without an answer: it has no body, and doing it
/// twice means the same as doing it once.
pub(crate) fn repeatable(method: &Method, has_body: bool) -> bool {
    !has_body && (method.is_idempotent() || method.is_safe())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `facts` are words among: reused, repeatable, retried.
    fn check(reached: Reached, facts: &str, expected: &Next) {
        let has = |fact| facts.split_whitespace().any(|word| word == fact);
        let attempt =
            Attempt { reached, reused: has("reused"), repeatable: has("repeatable"), retried: has("retried") };
        assert_eq!(&attempt.next(), expected, "{attempt:?}");
    }

    #[test]
    fn a_failed_connect_is_retried_once() {
        check(Reached::NoConnection, "", &Next::OtherEndpoint);
        check(Reached::NoConnection, "repeatable", &Next::OtherEndpoint);
        check(Reached::NoConnection, "retried", &Next::CannotConnect);
    }

    #[test]
    fn a_connection_that_closed_while_idle_is_replaced() {
        check(Reached::NothingSent, "reused", &Next::FreshConnection);
        check(Reached::NothingSent, "reused retried", &Next::FreshConnection);
        check(Reached::Sent, "reused repeatable", &Next::FreshConnection);
    }

    #[test]
    fn what_may_have_had_an_effect_is_not_repeated() {
        check(Reached::Sent, "reused", &Next::ConnectionLost);
        check(Reached::Sent, "repeatable", &Next::ConnectionLost);
        check(Reached::Sent, "", &Next::ConnectionLost);
    }

    #[test]
    fn an_endpoint_that_accepts_and_closes_is_like_one_that_refuses() {
        check(Reached::NothingSent, "", &Next::OtherEndpoint);
        check(Reached::NothingSent, "retried", &Next::CannotConnect);
    }

    #[test]
    fn only_idempotent_requests_without_a_body_are_repeatable() {
        assert!(repeatable(&Method::GET, false) && repeatable(&Method::DELETE, false));
        assert!(!repeatable(&Method::POST, false) && !repeatable(&Method::PUT, true));
    }
}
