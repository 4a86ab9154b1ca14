//! The data plane: listeners, routes, endpoints, balance, drain
